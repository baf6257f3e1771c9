"""silver.user_days and silver.product_days after a change of what they are made of: all, or the days it can reach."""

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ulm_spark.contracts.silver import EVENTS, ORDER_LINES, SESSIONS
from ulm_spark.contracts.table import Table
from ulm_spark.contracts.user_days import PRODUCT_DAYS, USER_DAYS
from ulm_spark.lake.persisted import persisted
from ulm_spark.lake.run import Run
from ulm_spark.pipeline.attributed import Attribution, attributed_changes, attributed_events
from ulm_spark.sessions.touched import on_days
from ulm_spark.users.product_days import summarise_product_days
from ulm_spark.users.touched_days import lines_of_days, may_close_on, touched_product_days, touched_user_days
from ulm_spark.users.user_days import closing_day, summarise_user_days

_MOST_SENT = 1_000_000  # some 100 MB


def restate_user_days(ledger: Run, zone: str, identity: Attribution) -> None:
    """Makes silver.user_days what summarise_user_days makes of all events, visits and lines, by log-in or by person.

    Rule: where the ledger knows what changed since the last run, only the days of users that a change can reach are
          made anew, from the files that hold these days; of order lines all are looked through.
    """
    events = attributed_events(ledger, identity)
    acts, visits, bought = (
        attributed_changes(ledger, identity), ledger.changes(SESSIONS), ledger.changes(ORDER_LINES)
    )  # fmt: skip
    if acts is None or visits is None or bought is None:
        ledger.progress("all days of users")
        anew = summarise_user_days(events, ledger.read(SESSIONS), ledger.read(ORDER_LINES), zone)
        ledger.restate(anew, USER_DAYS)
        return
    with persisted(touched_user_days(acts, visits, bought, ledger.read(ORDER_LINES), zone)) as touched:
        days, small = _days_of(touched)
        if days:
            ledger.progress(f"users touched by changes on {len(days)} days")
            _restate_touched(ledger, events, small, days, zone)


def _restate_touched(ledger: Run, events: DataFrame, touched: DataFrame, days: list[date], zone: str) -> None:
    acts = events.where(on_days("event_on", days)).withColumn("day_on", F.col("event_on"))
    visits = ledger.read(SESSIONS).where(may_close_on(days, zone)).withColumn("day_on", closing_day(zone))
    anew = summarise_user_days(
        _of_touched(acts, touched, USER_DAYS),
        _of_touched(visits, touched, USER_DAYS),
        lines_of_days(ledger.read(ORDER_LINES), touched, on_days("lined_on", days)),
        zone,
    )
    known = ledger.read(USER_DAYS).where(on_days("day_on", days))
    # An order may have lines on further days: their rows would be of these lines alone.
    ledger.restate_part(_of_touched(anew, touched, USER_DAYS), USER_DAYS, _of_touched(known, touched, USER_DAYS))


def restate_product_days(ledger: Run) -> None:
    """Makes silver.product_days what summarise_product_days makes of all events.

    Rule: as restate_user_days, by the days of products.
    """
    events, changes = ledger.read(EVENTS), ledger.changes(EVENTS)
    if changes is None:
        ledger.progress("all days of products")
        ledger.restate(summarise_product_days(events), PRODUCT_DAYS)
        return
    with persisted(touched_product_days(changes)) as touched:
        days, small = _days_of(touched)
        if days:
            acts = events.where(on_days("event_on", days)).withColumn("day_on", F.col("event_on"))
            known = ledger.read(PRODUCT_DAYS).where(on_days("day_on", days))
            anew = summarise_product_days(_of_touched(acts, small, PRODUCT_DAYS))
            ledger.restate_part(anew, PRODUCT_DAYS, _of_touched(known, small, PRODUCT_DAYS))


def _days_of(touched: DataFrame) -> tuple[list[date], DataFrame]:
    """The days of touched rows, and these as a join had better have them: few are sent to where the others are."""
    found = touched.groupBy("day_on").agg(F.count(F.lit(1)).alias("n")).collect()
    n_rows = sum(row["n"] for row in found)
    return [row["day_on"] for row in found], F.broadcast(touched) if n_rows <= _MOST_SENT else touched


def _of_touched(rows: DataFrame, touched: DataFrame, table: Table) -> DataFrame:
    return rows.join(touched, on=[*table.key], how="left_semi")
