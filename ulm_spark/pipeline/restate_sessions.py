"""silver.sessions after a change of events or of whose they are: all of it, or the visits that it can reach."""

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ulm_spark.contracts.silver import SESSIONS
from ulm_spark.lake.persisted import persisted
from ulm_spark.lake.run import Run
from ulm_spark.pipeline.attributed import Attribution, attributed_changes, attributed_events
from ulm_spark.sessions.cut import SessionRules
from ulm_spark.sessions.fragments import INPUTS
from ulm_spark.sessions.sessionize import sessionize
from ulm_spark.sessions.touched import (
    Stretch,
    may_hold,
    may_reach,
    reached_events,
    reached_extents,
    stretches_of,
    touched_spans,
    touched_visits,
)

_MOST_SENT = 1_000_000  # some 100 MB


def restate_sessions(ledger: Run, rules: SessionRules, zone: str, identity: Attribution) -> None:
    """Makes silver.sessions what sessionize makes of all events, by log-in or by person.

    Rule: where the ledger knows what changed since the last run, as restate_touched does.
    """
    events, changes = attributed_events(ledger, identity), attributed_changes(ledger, identity)
    if changes is None:
        ledger.progress("all visits")
        ledger.restate(sessionize(events, rules, zone), SESSIONS)
    else:
        restate_touched(ledger, events, changes, rules, zone)


def restate_touched(ledger: Run, events: DataFrame, changes: DataFrame, rules: SessionRules, zone: str) -> None:
    """Brings a change of events into silver.sessions.

    In:   events after the change, as attributed_events; changes: rows of it that came, went, or are as they
          were before an update or after it.
    Rule: visits away from a change by more than the gap are neither read nor written; days without a
          changed event or a touched visit are not opened. The order in which events arrived changes
          nothing, nor does a change that the table has already.
    """
    with persisted(touched_spans(changes, rules.gap_s)) as spans:
        changed = [Stretch(*row) for row in stretches_of(spans, zone, margin_s=rules.gap_s).collect()]
        if not changed:
            return
        ledger.progress(f"visits touched by changes on {len(changed)} days")
        near = ledger.read(SESSIONS).where(may_reach(changed, rules))
        with (
            persisted(touched_visits(near, _small(spans, changed), rules, zone)) as visits,
            persisted(reached_extents(spans, visits)) as extents,
            persisted(_reached(events, extents, zone)) as reached,
        ):
            anew = sessionize(reached, rules, zone)
            ledger.restate_part(anew, SESSIONS, visits.select(*SESSIONS.column_names))


def _reached(events: DataFrame, extents: DataFrame, zone: str) -> DataFrame:
    """The events in extents, of what visits are made of; those of users with long visits are looked for apart."""
    found = stretches_of(extents, zone, by=["is_long"]).collect()
    parts = []
    for is_long in (False, True):
        stretches = [Stretch(*row[:-1]) for row in found if row["is_long"] == is_long]
        of_these = _small(extents.where(F.col("is_long") == is_long), stretches)
        parts.append(reached_events(events.where(may_hold(stretches)).select(*INPUTS), of_these))
    return parts[0].unionByName(parts[1])


def _small(extents: DataFrame, stretches: Sequence[Stretch]) -> DataFrame:
    """Extents as a join had better have them: few are sent to where events are, rather than all events exchanged."""
    n_extents = sum(stretch.n_extents for stretch in stretches)  # at least: one of several days counts for each
    return F.broadcast(extents) if n_extents <= _MOST_SENT else extents
