"""Whose is each event? silver.events with persons in the place of log-ins, where the config asks for it."""

from dataclasses import dataclass, field

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ulm_spark.config.errors import ConfigError
from ulm_spark.contracts.identity import IDENTITIES
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.events.identity_history import attribute_users
from ulm_spark.events.identity_moves import known_now, list_moved, name_moved
from ulm_spark.lake.run import Run
from ulm_spark.pipeline.resolve_identities import keep_frame

MOST_STATES = 6
_FEW_MOVED = 200_000


@dataclass(frozen=True)
class Attribution:
    """Section ``identity``, as the jobs read it that read users.

    attributes_users: true where an event's user_id is its person's in silver.identities: several
    log-ins of one person count as one, and events without a log-in count for the person of their cookie
    or device. False, the default, goes by the log-in. The other settings reach these jobs through
    silver.identities alone, so that a link that is cut restates only what it joined.
    """

    attributes_users: bool = False
    max_users_per_device: int = field(default=1, hash=False)
    cut_links: tuple[str, ...] = field(default=(), hash=False)


def attributed_events(ledger: Run, identity: Attribution) -> DataFrame:
    """silver.events as the jobs read it that read users.

    Out:  its grain and columns; with attributes_users, user_id as attribute_users says.
    Rule: by the identities known now, of the latest day resolved, whatever the day of the run: silver.sessions
          and the other tables without as_of hold all that the lake knows, and what joins them must agree.
    Edge: the events as they are, at no cost, where no event ever named a cookie or a device.
    """
    events = ledger.read(EVENTS)
    if not identity.attributes_users or _is_nobody_known(ledger):
        return events
    return attribute_users(events, known_now(ledger.read(IDENTITIES)))


def attributed_changes(ledger: Run, identity: Attribution) -> DataFrame | None:
    """What changed in attributed_events' frame since the job's last run, as Run.changes.

    Out:  columns as of Lake.changes. Each event that changed, or that names an identifier that moved, as it
          is attributed now and as it was: then, and by each state of silver.identities in between, which a run
          that failed may have written. An event may be there that did not change, and several times. Rows
          that tell of identities alone have _commit_version 0, as if from before any change of the event itself.
          None also where identities changed more often than MOST_STATES times, or can't tell how.
    """
    told = ledger.changes(EVENTS)
    if told is None or not identity.attributes_users:
        return told
    feed = ledger.changes(IDENTITIES)
    if feed is None or _is_nobody_known(ledger):
        return None if feed is None else told
    now = known_now(ledger.read(IDENTITIES))
    changes, moved = attribute_users(told, now), list_moved(feed)
    by_version = moved.groupBy("version").count().limit(MOST_STATES + 1).collect()
    if len(by_version) > MOST_STATES:
        return None
    if not by_version:
        return changes
    n_moved = sum(row["count"] for row in by_version)
    ledger.progress(f"identifiers that moved: {n_moved}")
    nodes = moved.select("node").distinct()
    concerned = _concerned(ledger, told, F.broadcast(nodes) if n_moved <= _FEW_MOVED else nodes)
    for before in sorted(row["version"] - 1 for row in by_version):
        then = known_now(ledger.lake.read(IDENTITIES, before))
        changes = changes.unionByName(_told(attribute_users(concerned, then), "update_preimage"))
    is_there = attribute_users(concerned.where("_is_there"), now)
    return changes.unionByName(_told(is_there, "update_postimage"))


def refuse_attribution(identity: Attribution, job: str) -> None:
    """Errors: ConfigError with attributes_users, for a job that writes sessions by the log-in."""
    if identity.attributes_users:
        raise ConfigError(
            f"identity.attributes_users: found true for {job}; expected false, since a stream's sessions go by the "
            "log-in, and identities are resolved by day. Ingest with ulm run, or leave the setting out."
        )


def _is_nobody_known(ledger: Run) -> bool:
    """True where silver.identities never had a row: its first version is the one that made it."""
    return int(ledger.inputs[IDENTITIES.name]) < 1


def _concerned(ledger: Run, told: DataFrame, nodes: DataFrame) -> DataFrame:
    """Events that name what moved: those that are there, and those that the change of events told of. Computed."""
    there = ledger.read(EVENTS).withColumn("_is_there", F.lit(True))
    gone = told.select(*EVENTS.column_names, F.lit(False).alias("_is_there"))
    return keep_frame(name_moved(there.unionByName(gone), nodes))


def _told(events: DataFrame, change_type: str) -> DataFrame:
    told = {"_change_type": F.lit(change_type), "_commit_version": F.lit(0).cast("bigint")}
    return events.drop("_is_there").withColumns(told)
