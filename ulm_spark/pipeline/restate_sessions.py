"""silver.sessions after a change of events or of whose they are: all of it, or the visits that it can reach."""

from pyspark.sql import DataFrame

from ulm_spark.contracts.silver import SESSIONS
from ulm_spark.lake.persisted import persisted
from ulm_spark.lake.run import Run
from ulm_spark.pipeline.attributed import Attribution, attributed_changes, attributed_events
from ulm_spark.sessions.cut import SessionRules
from ulm_spark.sessions.sessionize import sessionize
from ulm_spark.sessions.touched import (
    Stretch,
    may_hold,
    may_reach,
    reached_events,
    stretches_of,
    touched_spans,
    touched_visits,
)


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
        changed = _collected(stretches_of(spans, zone, margin_s=rules.gap_s))
        if not changed:
            return
        ledger.progress(f"visits touched by changes on {len(changed)} days")
        near = ledger.read(SESSIONS).where(may_reach(changed, rules))
        with persisted(touched_visits(near, spans, rules, zone)) as visits:
            extents = spans.unionByName(visits.select(*spans.columns))
            part = events.where(may_hold(_collected(stretches_of(extents, zone))))
            with persisted(reached_events(part, spans, visits)) as reached:
                anew = sessionize(reached, rules, zone)
                ledger.restate_part(anew, SESSIONS, visits.select(*SESSIONS.column_names))


def _collected(stretches: DataFrame) -> list[Stretch]:
    return [Stretch(row["day"], row["from_us"], row["until_us"]) for row in stretches.collect()]
