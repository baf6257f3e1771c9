"""Which log-ins, cookies and devices were seen together, and which of these links make them one person's?"""

import re
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.config.require import require
from ulm_spark.contracts.identity import IDENTITY_LINKS, KINDS

LINKED, SHARED, CUT, GONE = "linked", "shared", "cut", "gone"
_OBSERVED = IDENTITY_LINKS.column_names[:-2]  # all but the state and its day
_NAMED_BY = {"user": "user_id", "cookie": "cookie_id", "device": "device_id"}
_IDENTIFIER = rf"({'|'.join(KINDS)}):(.+)"
_PAIR = re.compile(rf"{_IDENTIFIER}\|{_IDENTIFIER}", re.DOTALL)


@dataclass(frozen=True)
class IdentityRules:
    """Section ``identity``.

    max_users_per_device: a cookie or device that more log-ins than these used links nobody. At 1, the
    default, no shared device ever makes two log-ins one person; from 2 on it does, and persons who
    share devices in a chain become one. cut_links: links that were found wrong, such as
    ``cookie:abc|user:42``, in either order: from the next run on they link nothing. attributes_users:
    true where the jobs that read users go by these persons, not by the log-in; it changes no person.
    """

    max_users_per_device: int = 1
    cut_links: tuple[str, ...] = ()
    attributes_users: bool = field(default=False, hash=False)

    def __post_init__(self) -> None:
        least = self.max_users_per_device
        require(least >= 1, "identity.max_users_per_device", least, "at least 1")
        wrong = [place for place, text in enumerate(self.cut_links, 1) if not _PAIR.fullmatch(text)]
        found = f"no such pair at {', '.join(map(str, wrong))}"  # the links themselves are users' values
        expected = f"two of {', '.join(f'{kind}:VALUE' for kind in KINDS)} with | between them"
        require(not wrong, "identity.cut_links", found, expected)

    @property
    def cuts(self) -> list[str]:
        """cut_links, each as guard_links writes a link: the kinds in the order of KINDS."""
        pairs = [match.groups() for text in self.cut_links if (match := _PAIR.fullmatch(text))]
        sides = [sorted((pair[:2], pair[2:]), key=lambda side: KINDS.index(side[0])) for pair in pairs]
        return [f"{left[0]}:{left[1]}|{right[0]}:{right[1]}" for left, right in sides]


def are_identified(events: DataFrame) -> DataFrame:
    """The events that name a cookie or a device. In: silver.events, any span. Out: its grain and columns."""
    return events.where(F.col("cookie_id").isNotNull() | F.col("device_id").isNotNull())


def observe_links(events: DataFrame) -> DataFrame:
    """One row per pair of identifiers that an event named, from all the events given.

    In:   silver.events, any span.
    Out:  silver.identity_links less state and state_since.
    Rule: an event links each two of its log-in, cookie and device; a cookie or device that it names
          alone is linked to itself, so that it is known.
    Edge: events without cookie and device say nothing: a log-in alone needs no link to be known.
    """
    # Summed by triple first: far fewer rows then become up to three pairs each.
    triples = are_identified(events).groupBy(*_NAMED_BY.values())
    seen = triples.agg(
        F.min("event_at").alias("first_seen_at"),
        F.max("event_at").alias("last_seen_at"),
        F.count(F.lit(1)).alias("n_events"),
    )
    is_alone = F.size(F.array_compact(F.array(*_NAMED_BY.values()))) == 1
    pairs = [_pair(KINDS[i], KINDS[j]) for i in range(len(KINDS)) for j in range(i + 1, len(KINDS))]
    pairs += [F.when(is_alone, _pair(kind, kind)) for kind in KINDS[1:]]
    by_pair = seen.select(F.explode(F.array_compact(F.array(*pairs))).alias("pair"), *seen.columns[-3:])
    summed = by_pair.select("pair.*", *seen.columns[-3:]).groupBy(*IDENTITY_LINKS.key)
    return summed.agg(
        F.min("first_seen_at").alias("first_seen_at"),
        F.max("last_seen_at").alias("last_seen_at"),
        F.sum("n_events").alias("n_events"),
    ).select(*_OBSERVED)


def guard_links(links: DataFrame, rules: IdentityRules) -> DataFrame:
    """Says of each link whether it makes its two identifiers one person's.

    In:   observe_links' frame.
    Out:  its columns, and state: cut, shared or linked, the first that fits.
    Rule: cut links are those that the rules name. A cookie or device is shared where more log-ins
          than max_users_per_device have a link to it that is not cut; all its links are shared.
    """
    sides = [F.concat(f"{side}_kind", F.lit(":"), f"{side}_value") for side in ("left", "right")]
    is_cut = F.concat_ws("|", *sides).isin(rules.cuts) if rules.cuts else F.lit(False)
    judged = links.withColumn("_is_cut", is_cut)
    users = judged.where((F.col("left_kind") == "user") & ~F.col("_is_cut")).groupBy("right_kind", "right_value")
    shared = users.agg(F.count(F.lit(1)).alias("n_users")).where(F.col("n_users") > rules.max_users_per_device)
    for side in ("left", "right"):
        keys = [F.col("right_kind").alias(f"{side}_kind"), F.col("right_value").alias(f"{side}_value")]
        marked = shared.select(*keys, F.lit(True).alias(f"_is_{side}_shared"))
        judged = judged.join(marked, on=[f"{side}_kind", f"{side}_value"], how="left")
    is_shared = F.coalesce("_is_left_shared", "_is_right_shared", F.lit(False))
    state = F.when(F.col("_is_cut"), CUT).when(is_shared, SHARED).otherwise(LINKED)
    return judged.select(*_OBSERVED, state.alias("state"))


def date_links(links: DataFrame, known: DataFrame, as_of: date) -> DataFrame:
    """Links with the day since which each has been in its state.

    In:   guard_links' frame of all that is known as of the day; known: silver.identity_links as it is.
    Out:  silver.identity_links.
    Rule: state_since is known's where the state is the same, else the day.
    Edge: a link whose events are gone stays as it was, in state gone, without events.
    """
    before = known.select(*IDENTITY_LINKS.key, *(F.col(name).alias(f"_{name}") for name in known.columns[4:]))
    both = links.join(before, on=list(IDENTITY_LINKS.key), how="full")
    state = F.coalesce("state", F.lit(GONE))
    since = F.when(state == F.col("_state"), F.col("_state_since")).otherwise(F.lit(as_of))
    return both.select(
        *IDENTITY_LINKS.key,
        F.coalesce("first_seen_at", "_first_seen_at").alias("first_seen_at"),
        F.coalesce("last_seen_at", "_last_seen_at").alias("last_seen_at"),
        F.coalesce("n_events", F.lit(0)).cast("bigint").alias("n_events"),
        state.alias("state"),
        since.alias("state_since"),
    ).select(*IDENTITY_LINKS.column_names)


def node_of(kind: Column, value: Column) -> Column:
    """An identifier as one text: its kind's place in KINDS, a digit, then its value. Log-ins sort first."""
    places = F.array(*(F.lit(name) for name in KINDS))
    return F.concat((F.array_position(places, kind) - 1).cast("string"), value)


def kind_of(node: Column) -> Column:
    """The kind that node_of put there."""
    return F.get(F.array(*(F.lit(name) for name in KINDS)), F.substring(node, 1, 1).cast("int"))


def value_of(node: Column) -> Column:
    """The value that node_of put there."""
    return F.substr(node, F.lit(2))


def _pair(left: str, right: str) -> Column:
    """A link of an event's two identifiers of these kinds; null where it lacks one."""
    values = F.col(_NAMED_BY[left]), F.col(_NAMED_BY[right])
    link = F.struct(
        F.lit(left).alias("left_kind"),
        values[0].alias("left_value"),
        F.lit(right).alias("right_kind"),
        values[1].alias("right_value"),
    )
    return F.when(values[0].isNotNull() & values[1].isNotNull(), link)
