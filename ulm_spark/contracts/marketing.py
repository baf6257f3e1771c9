"""Marketing: what was spent on which channel, as a file said it. Rows of the file = spend + quarantine, always."""

from ulm_spark.contracts.silver import MONEY
from ulm_spark.contracts.table import RESTATED_IN_PLACE, Column, Table

_LINEAGE = (
    Column("source_file", "STRING", "Name of the file that held the row"),
    Column("source_line", "BIGINT", "Line of the row in its file; the header is 1"),
)

SPEND_QUARANTINE = Table(
    name="bronze.spend_quarantine",
    grain="One row per row of marketing.spend_path that did not become spend, with the reason.",
    key=("source_file", "source_line"),
    columns=(
        *_LINEAGE,
        Column("reason", "STRING", "bad_columns, bad_day, missing_channel, bad_amount, other_currency or duplicate"),
        Column("detail", "STRING", "What the rule expected, in words; names columns, never values"),
        Column("line", "STRING", "The row's text"),
    ),
    properties=RESTATED_IN_PLACE,
    writer="ingest_spend",
)

MARKETING_SPEND = Table(
    name="silver.marketing_spend",
    grain="One row per local day and channel with spend; known as of a day when day_on is no later. All that the files "
    "say, also of later days.",
    key=("day_on", "channel"),
    columns=(
        Column("day_on", "DATE", "Local day in the shop's zone"),
        Column("channel", "STRING", "The channel, by the name that events call it"),
        Column("amount", MONEY, "What was spent, never negative", unit="currency"),
        Column("currency", "STRING", "ISO 4217 code of amount: the shop's"),
        *_LINEAGE,
    ),
    properties=RESTATED_IN_PLACE,
    writer="ingest_spend",
    readers=("build_shop_metrics",),
)

TABLES = (SPEND_QUARANTINE, MARKETING_SPEND)
