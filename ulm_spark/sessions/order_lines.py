"""What was bought and returned, line by line, and which returns took back which purchase?"""

from functools import reduce
from operator import and_

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.window import WindowSpec

from ulm_spark.contracts.silver import MONEY, ORDER_LINES
from ulm_spark.sessions.cut import local_day
from ulm_spark.sessions.keys import key_of

_ACCOUNT = ("user_id", "guest_order_id", "product_id")


def list_order_lines(events: DataFrame, zone: str, currency: str) -> DataFrame:
    """One row per product line bought or returned, with returns netted against purchases.

    In:   silver.events, all that the lake knows. currency is the shop's, for lines without one.
    Out:  silver.order_lines.
    Rule: as read_lines and net_returns.
    """
    return net_returns(read_lines(events, zone, currency))


def read_lines(events: DataFrame, zone: str, currency: str, *further: str) -> DataFrame:
    """The product lines that events tell of, not netted yet.

    In:   silver.events, any span.
    Out:  silver.order_lines less netted_quantity; further columns of the events, as they are.
    Rule: a purchase or return of a product is a line. One without quantity is one unit, one without
          price is free. Without an order_id a user's lines of one kind and one local day are one
          order, so that an order never grows after the day on which it is first known; a guest's
          line is an order of its own.
    Edge: purchases and returns without a product are no lines.
    """
    is_line = F.col("event_type").isin("purchase", "return") & F.col("product_id").isNotNull()
    quantity = F.coalesce(F.col("quantity"), F.lit(1))
    unit_price = F.coalesce(F.col("unit_price"), F.lit(0)).cast(MONEY)
    sign = F.when(F.col("event_type") == "return", F.lit(-1)).otherwise(F.lit(1))
    return events.where(is_line).select(
        F.col("event_id").alias("line_id"),
        F.coalesce("order_id", _order_of_the_day(zone), "event_id").alias("order_id"),
        F.col("event_type").alias("line_type"),
        "user_id",
        "product_id",
        "is_item",
        F.col("event_at").alias("lined_at"),
        local_day(F.col("event_at"), zone).alias("lined_on"),
        quantity.alias("quantity"),
        unit_price.alias("unit_price"),
        "list_price",
        (sign * quantity * unit_price).cast(MONEY).alias("amount"),
        F.coalesce("currency", F.lit(currency)).alias("currency"),
        "country",
        *further,
    )


def touched_lines(known: DataFrame, changed: DataFrame) -> DataFrame:
    """The lines that a change can reach: the changed ones, and all of an account in which a line changed.

    In:   silver.order_lines; changed: read_lines' frame of the events as they were and as they are.
    Out:  rows of known. An account is a user, or for guests an order, and a product.
    """
    accounts = _with_account(changed).select(*_ACCOUNT).distinct().alias("account")
    is_same = [F.col(f"line.{name}").eqNullSafe(F.col(f"account.{name}")) for name in _ACCOUNT]
    of_accounts = _with_account(known).alias("line").join(accounts, on=reduce(and_, is_same), how="left_semi")
    changed_ids = changed.select("line_id").distinct()
    return (
        of_accounts.select(*known.columns)
        .unionByName(known.join(changed_ids, on="line_id", how="left_semi").select(*known.columns))
        .distinct()
    )


def _order_of_the_day(zone: str) -> Column:
    """An order_id for a user's lines of one kind on one local day; null for a guest."""
    return key_of(F.col("user_id"), local_day(F.col("event_at"), zone).cast("string"), F.col("event_type"))


def _with_account(lines: DataFrame) -> DataFrame:
    # A column, not an expression within the window, so that all steps share one exchange.
    return lines.withColumn("guest_order_id", F.when(F.col("user_id").isNull(), F.col("order_id")))


def net_returns(lines: DataFrame) -> DataFrame:
    """Lines with netted_quantity: which units later returns took back.

    In:     read_lines' frame, with all lines of the accounts in it.
    Out:    silver.order_lines. netted_quantity looks ahead: readers as of a day leave it alone.
    Rule:   per user and product, in the order (lined_at, purchases before returns, line_id), a return
            takes back units bought before it and not yet taken back, the first bought first; units of
            a return beyond those find no purchase and are dropped. Guests have no user to match by:
            their return is matched with purchases of the same order_id alone.
    Source: with S the running sum of units (returns negative) and L = -min(0, running min of S) the
            returned units that found nothing so far, S + L is the balance that never falls below
            zero (Skorokhod reflection; Harrison 1985, Brownian Motion and Stochastic Flow Systems,
            1.2). Returns match purchases as one queue matches another, so the k-th matched unit is
            the k-th unit bought.
    """
    is_return = F.col("line_type") == "return"
    units = F.col("quantity").cast("bigint")
    account = Window.partitionBy(*_ACCOUNT)
    in_time = account.orderBy("lined_at", "line_type", "line_id")  # 'purchase' sorts before 'return'
    so_far = in_time.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    before = in_time.rowsBetween(Window.unboundedPreceding, -1)
    # Frames of the same order, so that Spark sorts each account once.
    whole = in_time.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    summed = _with_account(lines).select(
        "*",
        F.sum(F.when(is_return, -units).otherwise(units)).over(so_far).alias("balance"),
        F.coalesce(F.sum(F.when(~is_return, units)).over(before), F.lit(0)).alias("bought_before"),
        F.coalesce(F.sum(F.when(is_return, units)).over(whole), F.lit(0)).alias("returned"),
    )
    matched = F.col("returned") - _unmatched("balance", whole)
    of_purchase = F.least(units, F.greatest(matched - F.col("bought_before"), F.lit(0)))
    of_return = units - _unmatched("balance", so_far) + _unmatched("balance", before)
    netted = F.when(is_return, of_return).otherwise(of_purchase).cast("int")
    return summed.withColumn("netted_quantity", netted).select(*ORDER_LINES.column_names)


def _unmatched(balance: str, frame: WindowSpec) -> Column:
    """Returned units that found no purchase, up to the frame's end; 0 for an empty frame."""
    return -F.least(F.lit(0), F.coalesce(F.min(balance).over(frame), F.lit(0)))
