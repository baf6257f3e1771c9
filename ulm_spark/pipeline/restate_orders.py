"""silver.order_lines and silver.orders after a change of events or of whose they are: all, or what it can reach."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from ulm_spark.contracts.silver import ORDER_LINES, ORDERS
from ulm_spark.lake.persisted import persisted
from ulm_spark.lake.run import Run
from ulm_spark.pipeline.attributed import Attribution, attributed_changes, attributed_events
from ulm_spark.sessions.order_lines import list_order_lines, net_returns, read_lines, touched_lines
from ulm_spark.sessions.orders import summarise_orders


def restate_orders(ledger: Run, zone: str, currency: str, identity: Attribution) -> None:
    """Makes both tables what list_order_lines and summarise_orders make of all events, by log-in or by person.

    Rule: where the ledger knows what changed since the last run, only the accounts and then the orders
          of changed lines are made anew, from the lines that the table has and those that changed.
    """
    events, changes = attributed_events(ledger, identity), attributed_changes(ledger, identity)
    if changes is None:
        ledger.progress("all orders")
        ledger.restate(list_order_lines(events, zone, currency), ORDER_LINES)
        ledger.restate(summarise_orders(ledger.read(ORDER_LINES)), ORDERS)
        return
    told = changes.withColumn("_is_now", ~F.col("_change_type").isin("delete", "update_preimage"))
    with persisted(read_lines(told, zone, currency, "_is_now", "_commit_version")) as changed:
        if not changed.isEmpty():
            ledger.progress("orders touched by changes")
            _restate_touched(ledger, changed)


def _restate_touched(ledger: Run, changed: DataFrame) -> None:
    replaced_ids = changed.where(~F.col("_is_now")).select("line_id").distinct()
    with persisted(touched_lines(ledger.read(ORDER_LINES), changed)) as known:
        others = known.join(replaced_ids, on="line_id", how="left_anti").drop("netted_quantity")
        # Distinct: an insert may be in the table already, where a run failed behind its first write. Two lines of
        # one id that differ both stay, and are refused.
        anew = others.unionByName(_as_they_are(changed)).distinct()
        orders = known.select("order_id").unionByName(changed.select("order_id")).distinct()
        with persisted(orders) as touched:
            known_orders = ledger.read(ORDERS).join(touched, on="order_id", how="left_semi")
            ledger.restate_part(net_returns(anew), ORDER_LINES, known)
            of_orders = ledger.read(ORDER_LINES).join(touched, on="order_id", how="left_semi")
            ledger.restate_part(summarise_orders(of_orders), ORDERS, known_orders)


def _as_they_are(changed: DataFrame) -> DataFrame:
    """Changed lines as they are now: without those that a later change replaced or took away."""
    columns = [name for name in changed.columns if not name.startswith("_")]
    last_gone = F.max(F.when(~F.col("_is_now"), F.col("_commit_version"))).over(Window.partitionBy("line_id"))
    # A row that one commit both took away and brought is there.
    is_there = F.col("_is_now") & (F.col("_commit_version") >= F.coalesce("_last_gone", F.lit(-1)))
    return changed.withColumn("_last_gone", last_gone).where(is_there).select(*columns)
