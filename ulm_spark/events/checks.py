"""What must a row be, so that it becomes an event? The first rule that it breaks is its reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from ulm_spark.contracts.silver import EVENT_TYPES
from ulm_spark.events.adapter import SourceAdapter
from ulm_spark.events.fields import EARLIEST_SQL, EVENT_FIELDS, FLAG_FIELDS, LINEAGE_NAMES, MONEY_FIELDS
from ulm_spark.events.parse import IS_PARSED, ROW
from ulm_spark.events.typed import OWN_FAILURE, SAID

FAILURE = "_failure"
DUPLICATE = "duplicate"
_TRADES = ("purchase", "return")
# Far above any order line; a visit or an order of a hundred thousand such lines still fits its sums.
_MOST_UNITS, _MOST_MONEY = 1_000_000, 1e9


@dataclass(frozen=True)
class Check:
    """One rule. is_broken: true, and not null, for the rows that break it; detail says what was expected."""

    reason: str
    is_broken: Column
    detail: str


def checks(adapter: SourceAdapter) -> list[Check]:
    """The built-in rules, in the order in which they are asked."""
    event_at, event_type = F.col("event_at"), F.col("event_type")
    is_trade = event_type.isin(*_TRADES)
    return [
        Check("not_utf8", F.col(f"{ROW}.line_bytes").isNotNull(), "Text in UTF-8"),
        Check("unparseable", ~F.col(IS_PARSED), f"One whole {adapter.format} record with every column of the file"),
        Check("missing_event_at", F.col(f"{SAID}.event_at").isNull(), "A time in event_at"),
        Check("bad_event_at", event_at.isNull() | ~is_possible_time(), "A time from 1990 to a day after received_at"),
        Check("missing_event_type", event_type.isNull(), "A value in event_type"),
        Check("unknown_event_type", ~event_type.isin(*EVENT_TYPES), f"One of {', '.join(EVENT_TYPES)}"),
        Check(
            "missing_user",
            F.lit(adapter.needs_user) & F.col("user_id").isNull() & (event_type != "listing"),
            "A value in user_id",
        ),
        Check("missing_product", F.col("product_id").isNull() & (event_type != "search"), "A value in product_id"),
        Check("bad_price", _any_unread(MONEY_FIELDS), "A number below 100 trillion in unit_price and list_price"),
        Check("negative_price", _any([F.col(name) < 0 for name in MONEY_FIELDS]), "A price of zero or more"),
        Check("missing_price", is_trade & F.col("unit_price").isNull(), "A value in unit_price"),
        Check("bad_currency", ~F.col("currency").rlike("^[A-Z]{3}$"), "Three letters, by ISO 4217, in currency"),
        Check("bad_quantity", _any_unread(["quantity"]), "A whole number in quantity"),
        Check("quantity_not_positive", F.col("quantity") <= 0, "A quantity above zero"),
        Check(
            "amount_too_large",
            (F.col("quantity") > _MOST_UNITS)
            | (F.greatest(*MONEY_FIELDS).cast("double") * F.coalesce("quantity", F.lit(1)) >= _MOST_MONEY),
            f"At most {_MOST_UNITS:,} units, together below {_MOST_MONEY:,.0f}",
        ),
        Check("missing_quantity", is_trade & F.col("quantity").isNull(), "A value in quantity"),
        Check("missing_order", is_trade & F.col("order_id").isNull(), "A value in order_id"),
        Check("bad_rating", _any_unread(["rating"]) | ~F.col("rating").between(1, 5), "A whole rating from 1 to 5"),
        Check("bad_is_item", _any_unread(FLAG_FIELDS), "true or false in is_item"),
    ]


def is_possible_time() -> Column:
    """True where event_at lies from 1990 to a day after the row's received_at, null where it is null."""
    event_at, latest = F.col("event_at"), F.col(f"{ROW}.received_at") + F.expr("INTERVAL 1 DAY")
    return (event_at >= F.expr(EARLIEST_SQL)) & (event_at <= latest)


def check_rows(typed: DataFrame, adapter: SourceAdapter) -> DataFrame:
    """Adds _failure: reason and detail of the first broken rule, null for a row that is an event.

    Rule: a file of another shape; the built-in rules; the adapter's own; duplicates come later.
    """
    problem = F.col(f"{ROW}.problem")
    failures = [F.when(problem.isNotNull(), _failure(F.lit("bad_header"), problem))]
    failures += [
        F.when(check.is_broken, _failure(F.lit(check.reason), F.lit(check.detail))) for check in checks(adapter)
    ]
    # From here on only what the tables keep: rows are shuffled, and held for two writes.
    row = F.struct(*(f"{ROW}.{name}" for name in (*LINEAGE_NAMES, "line"))).alias(ROW)
    return typed.select(row, *EVENT_FIELDS, F.coalesce(*failures, F.col(OWN_FAILURE)).alias(FAILURE))


def mark_duplicates(checked: DataFrame, known_ids: DataFrame) -> DataFrame:
    """Gives all rows of one event but the first the reason duplicate.

    In:   check_rows' frame; known_ids: event_id of every event that the lake has, within the horizon.
    Rule: an event that the lake has stays as it is. Of a batch's rows the first by (received_at,
          source_file, source_line) stays; rows that broke a rule are no event's first.
    """
    is_event = F.col(FAILURE).isNull()
    # Rows that broke a rule have keys of their own, so that many rows without content don't meet in one task.
    own_key = F.concat_ws("\n", F.lit("row"), f"{ROW}.source_file", F.col(f"{ROW}.source_line").cast("string"))
    place = (
        Window.partitionBy("_key")
        .orderBy(f"{ROW}.received_at", f"{ROW}.source_file", f"{ROW}.source_line")
        .rowsBetween(Window.unboundedPreceding, Window.currentRow)
    )
    placed = checked.withColumn(
        "_key", F.when(is_event, F.concat(F.lit("e\n"), "event_id")).otherwise(own_key)
    ).withColumn("_place", F.row_number().over(place))
    known = known_ids.select(F.col("event_id").alias("_known_id"))
    joined = placed.join(known, on=F.col("event_id") == F.col("_known_id"), how="left")
    is_duplicate = is_event & ((F.col("_place") > 1) | F.col("_known_id").isNotNull())
    duplicate = _failure(F.lit(DUPLICATE), F.lit("A row whose event_id no earlier row has"))
    return joined.withColumn(FAILURE, F.when(is_duplicate, duplicate).otherwise(F.col(FAILURE))).drop(
        "_key", "_place", "_known_id"
    )


def _failure(reason: Column, detail: Column) -> Column:
    return F.struct(reason.alias("reason"), detail.alias("detail"))


def _any_unread(names: Sequence[str]) -> Column:
    """True where the row says something that could not be read."""
    return _any([F.col(f"{SAID}.{name}").isNotNull() & _as_read(name).isNull() for name in names])


def _as_read(name: str) -> Column:
    # A flag that could not be read is true in the typed column.
    return F.col(f"{SAID}.{name}").try_cast("boolean") if name in FLAG_FIELDS else F.col(name)


def _any(conditions: Sequence[Column]) -> Column:
    return reduce(or_, conditions)
