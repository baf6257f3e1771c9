"""silver.user_days and silver.product_days after a change of what they are made of: all, or the days it can reach."""

from ulm_spark.contracts.silver import EVENTS, ORDER_LINES, SESSIONS
from ulm_spark.contracts.user_days import PRODUCT_DAYS, USER_DAYS
from ulm_spark.lake.run import Run
from ulm_spark.pipeline.attributed import Attribution, attributed_events
from ulm_spark.users.product_days import summarise_product_days
from ulm_spark.users.user_days import summarise_user_days


def restate_user_days(ledger: Run, zone: str, identity: Attribution) -> None:
    """Makes silver.user_days what summarise_user_days makes of all events, visits and lines, by log-in or by person."""
    events = attributed_events(ledger, identity)
    ledger.restate(summarise_user_days(events, ledger.read(SESSIONS), ledger.read(ORDER_LINES), zone), USER_DAYS)


def restate_product_days(ledger: Run) -> None:
    """Makes silver.product_days what summarise_product_days makes of all events."""
    ledger.restate(summarise_product_days(ledger.read(EVENTS)), PRODUCT_DAYS)
