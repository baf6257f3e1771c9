"""The grid of recency, frequency and money beside the segments."""

from ulm_spark.contracts.gold import AS_OF, USER
from ulm_spark.contracts.silver import MONEY
from ulm_spark.contracts.table import Column, Table

RFM_CELLS: dict[int, tuple[str, str, str, str, str]] = {
    5: ("new customers", "potential loyalists", "potential loyalists", "champions", "champions"),
    4: ("promising", "potential loyalists", "potential loyalists", "loyal", "loyal"),
    3: ("about to sleep", "about to sleep", "need attention", "loyal", "loyal"),
    2: ("hibernating", "hibernating", "at risk", "at risk", "can't lose"),
    1: ("hibernating", "hibernating", "at risk", "at risk", "can't lose"),
}
"""By recency score, the names for frequency scores 1 to 5."""

_TIES = "5 the best fifth; equal values get one score"
_SCORES = (
    Column("recency_score", "INT", f"1 to 5 by recency_days, the fewest days best: {_TIES}"),
    Column("frequency_score", "INT", f"1 to 5 by frequency: {_TIES}"),
    Column("monetary_score", "INT", f"1 to 5 by monetary: {_TIES}"),
    Column(
        "rfm_segment",
        "STRING",
        "Name of the cell of recency and frequency, as below",
    ),
)

USER_RFM = Table(
    name="gold.user_rfm",
    grain="One row per user who ever bought and day of as_of.",
    key=("as_of", "user_id"),
    columns=(
        AS_OF,
        USER,
        Column("recency_days", "INT", "Local days from the last purchase to as_of", unit="days"),
        Column("frequency", "INT", "Distinct local days with a purchase, life", unit="days"),
        Column("monetary", MONEY, "Purchases less returns, life", unit="currency"),
        Column("currency", "STRING", "ISO 4217 code of monetary: that of the latest purchase", nullable=True),
        *_SCORES,
    ),
    partition_by=("as_of",),
    writer="segment_users",
)

RFM_GRID = Table(
    name="gold.rfm_grid",
    grain="One row per cell of the three scores that has a user, and day of as_of.",
    key=("as_of", "recency_score", "frequency_score", "monetary_score"),
    columns=(
        AS_OF,
        *_SCORES,
        Column("n_users", "BIGINT", "Users in the cell", unit="users"),
        Column("revenue", MONEY, "Their purchases less returns, life", unit="currency"),
        Column("currency", "STRING", "ISO 4217 code of revenue; null where users have several", nullable=True),
    ),
    partition_by=("as_of",),
    writer="segment_users",
    readers=("build_report",),
)
