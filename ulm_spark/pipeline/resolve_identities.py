"""Events to persons: the links of the lake on one side, stars over them on the other."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from pyspark import StorageLevel
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from ulm_spark.config.clock import end_of
from ulm_spark.contracts.identity import IDENTITIES, IDENTITY_CHANGES, IDENTITY_LINKS
from ulm_spark.contracts.ops import RUNS
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.events.identity import IdentityRules, are_identified, date_links, guard_links, observe_links
from ulm_spark.events.identity_history import list_affected, list_changes, list_touched, restate_identities
from ulm_spark.events.identity_stars import hang_back, list_edges, list_leaves, measure_edges, name_persons, pull_stars
from ulm_spark.lake.fingerprint import code_version
from ulm_spark.lake.run import Run

MANY_EDGES = 500_000
_ROUNDS_OF_ALL = 2
Keep = Callable[[DataFrame], DataFrame]


@dataclass(frozen=True)
class DaysKnown:
    """Up to which day the lake knows, None where no day is known.

    by_this_code, by_any_code: the latest day before the run's that a run of this code, or of any, resolved.
    to: the latest day of which identities are known, which may be after the run's.
    """

    by_this_code: date | None = None
    by_any_code: date | None = None
    to: date | None = None


def resolve_day(ledger: Run, rules: IdentityRules, zone: str) -> None:
    """Brings links, identities and the day's changes up to what is known at the end of the run's day.

    Rule: links go first, each with the day of its state, so that a run that was killed after them is
          found by the next one: what has changed is what no run that ended has seen.
    """
    events = ledger.read(EVENTS).where(F.col("event_at") < F.lit(end_of(ledger.as_of, zone)))
    is_empty = ledger.lake.is_empty(IDENTITY_LINKS)
    if is_empty and are_identified(events).select("event_id").first() is None:
        return ledger.progress("no event names a cookie or a device")
    is_new = is_empty or ledger.lake.is_empty(IDENTITIES)
    known = DaysKnown() if is_new else days_known(ledger)
    if known.to is not None and known.to > ledger.as_of:
        return ledger.note(
            f"found identities known as of {known.to} already; expected a day not before it, so they were left. "
            f"What was known as of {ledger.as_of} is in silver.identities still, by known_from and known_until."
        )
    found = guard_links(observe_links(events), rules)
    ledger.restate(date_links(found, ledger.read(IDENTITY_LINKS), ledger.as_of), IDENTITY_LINKS)
    _resolve_touched(ledger, known)


def days_known(ledger: Run) -> DaysKnown:
    """The days that ops.runs and silver.identities tell of.

    Rule: a run resolved its day where it wrote the day's changes; one that found no identifier did not. A day
          whose later run failed or was killed is resolved no more: that run may have found further links.
    """
    is_done = F.col("status") == "done"
    died_at = F.max(F.when(~is_done, F.col("started_at"))).over(Window.partitionBy("as_of"))
    runs_of_job = ledger.read(RUNS).where(F.col("job") == ledger.job).withColumn("died_at", died_at)
    resolved = runs_of_job.where(is_done & F.map_contains_key("outputs", IDENTITY_CHANGES.name))
    is_settled = F.coalesce(F.col("died_at") < F.col("started_at"), F.lit(True))
    before = F.when(is_settled & (F.col("as_of") < F.lit(ledger.as_of)), F.col("as_of"))
    of_this_code = F.when(F.col("code_version") == code_version(), before)
    runs = resolved.select(of_this_code.alias("by_this_code"), before.alias("by_any_code"), F.col("as_of").alias("to"))
    no_day = F.lit(None).cast("date")
    stretches = ledger.read(IDENTITIES).select(no_day, no_day, F.greatest("known_from", "known_until"))
    latest = runs.union(stretches).agg(*(F.max(name) for name in runs.columns)).collect()[0]
    return DaysKnown(*latest)


def _resolve_touched(ledger: Run, known: DaysKnown) -> None:
    """Finds the persons of all identifiers that changed links touch, and restates their history.

    Rule: other code may find other persons in the same links, so all links that no run of this code has
          seen are looked at; why a person changed, only those of them say that no run at all has seen.
    """
    links, identities = ledger.read(IDENTITY_LINKS), ledger.read(IDENTITIES)
    affected = keep_frame(list_affected(identities, list_touched(links, known.by_this_code)))
    edges = list_edges(links).join(affected, on="node", how="left_semi")
    persons, n_rounds = connect(edges, keep_frame)
    ledger.progress(f"rounds until the identifiers hang together: {n_rounds}")
    ledger.restate(restate_identities(identities, affected, persons, ledger.as_of), IDENTITIES)
    befell = list_touched(links, known.by_any_code)
    ledger.replace(list_changes(ledger.read(IDENTITIES), befell, ledger.as_of), IDENTITY_CHANGES)


def connect(edges: DataFrame, keep: Keep, many: int = MANY_EDGES) -> tuple[DataFrame, int]:
    """The person of every node, and the rounds that it took, the last of which changed nothing.

    In:   edges: list_edges' frame; keep: computes a frame once and cuts it from what it was made of, so
          that plans stay short however many rounds it takes.
    Out:  name_persons' frame.
    Rule: of many edges, the leaves are taken off after two rounds: by then most persons are finished
          stars, all leaves, and the few that take more rounds are not carried through them by all.
    """
    edges = keep(edges)
    stars, before, after, n_rounds = edges, None, measure_edges(edges), 0
    leaves: DataFrame | None = None
    while after != before:
        stars, n_rounds = keep(pull_stars(stars)), n_rounds + 1
        if n_rounds == _ROUNDS_OF_ALL and after[0] >= many:
            leaves = keep(list_leaves(stars))
            stars = keep(stars.join(leaves, on="node", how="left_anti"))
        before, after = after, measure_edges(stars)
    return keep(name_persons(edges, stars if leaves is None else hang_back(leaves, stars))), n_rounds


def keep_frame(frame: DataFrame) -> DataFrame:
    """The frame's rows on the executors' disks; Spark frees them when nobody holds the frame any more."""
    return frame.localCheckpoint(storageLevel=StorageLevel.DISK_ONLY)
