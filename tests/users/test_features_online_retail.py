"""The purchase features of real customers, against pandas on the source's own files."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tests.frames import rows_of
from tests.realdata import data_folder
from ulm_spark.contracts.silver import EVENTS, MONEY, ORDER_LINES, SESSIONS
from ulm_spark.users.features import build_features
from ulm_spark.users.product_days import summarise_product_days
from ulm_spark.users.user_days import summarise_user_days

AS_OF = date(2011, 6, 30)
ZONE = "Europe/London"
SCHEMA = (
    "InvoiceNo STRING, StockCode STRING, Description STRING, Quantity INT, InvoiceDate TIMESTAMP, "
    "UnitPrice DECIMAL(18,4), CustomerID DOUBLE, Country STRING"
)


def lines_of(spark: SparkSession, files: list[str]) -> DataFrame:
    """silver.order_lines of the named customers: a purchase where the quantity is above zero, else a return."""
    rows = spark.read.csv(files, schema=SCHEMA, header=True).where("CustomerID IS NOT NULL AND UnitPrice > 0")
    known = {
        "line_id": F.monotonically_increasing_id().cast("string"),
        "order_id": F.col("InvoiceNo"),
        "line_type": F.when(F.col("Quantity") > 0, "purchase").otherwise("return"),
        "user_id": F.col("CustomerID").cast("int").cast("string"),
        "product_id": F.col("StockCode"),
        "is_item": F.lit(True),
        "lined_at": F.to_utc_timestamp("InvoiceDate", ZONE),
        "lined_on": F.to_date("InvoiceDate"),
        "quantity": F.abs("Quantity"),
        "unit_price": F.col("UnitPrice"),
        "amount": (F.col("UnitPrice") * F.col("Quantity")).cast(MONEY),
        "currency": F.lit("GBP"),
        "netted_quantity": F.lit(0),
    }
    columns = [known.get(c.name, F.lit(None)).cast(c.type).alias(c.name) for c in ORDER_LINES.columns]
    return rows.select(*columns)


def events_of(lines: DataFrame) -> DataFrame:
    """silver.events of the same lines."""
    known = {
        "event_id": F.col("line_id"),
        "event_at": F.col("lined_at"),
        "event_on": F.col("lined_on"),
        "event_type": F.col("line_type"),
        "user_id": F.col("user_id"),
    }
    return lines.select(*(known.get(c.name, F.lit(None)).cast(c.type).alias(c.name) for c in EVENTS.columns))


def by_pandas(files: list[Path]) -> pd.DataFrame:
    """Recency, orders, purchase days, products and revenue of each customer up to AS_OF."""
    rows = pd.concat([pd.read_csv(file, dtype={"InvoiceNo": str, "StockCode": str}) for file in files])
    rows = rows[rows.CustomerID.notna() & (rows.UnitPrice > 0)]
    rows["day"] = pd.to_datetime(rows.InvoiceDate).dt.date
    rows = rows[rows.day <= AS_OF]
    rows["amount"] = rows.Quantity * rows.UnitPrice
    rows["user_id"] = rows.CustomerID.astype(int).astype(str)
    bought = rows[rows.Quantity > 0].groupby("user_id")
    late = rows[(rows.Quantity > 0) & (rows.day > date(2011, 4, 1))].groupby("user_id")
    return pd.DataFrame(
        {
            "recency_days": bought.day.max().map(lambda day: (AS_OF - day).days),
            "n_purchase_days": bought.day.nunique(),
            "n_orders_life": bought.InvoiceNo.nunique(),
            "n_products_90d": late.StockCode.nunique(),
            "net_revenue_life": rows.groupby("user_id").amount.sum(),
        }
    )


@pytest.mark.data
def test_features_of_online_retail_equal_those_of_pandas(spark: SparkSession) -> None:
    files = sorted((data_folder("online_retail") / "by-day").glob("*.csv"))
    # The files after the day are read too: none of their rows may show.
    lines = lines_of(spark, [str(file) for file in files if file.stem < "2011-09"])
    events = events_of(lines)
    user_days = summarise_user_days(events, rows_of(spark, SESSIONS, []), lines, ZONE)
    features = build_features(user_days, summarise_product_days(events), AS_OF)
    expected = by_pandas(files)
    found = features.select("user_id", *expected.columns).toPandas().set_index("user_id").astype(float)
    expected["n_products_90d"] = expected["n_products_90d"].fillna(0)
    expected.loc[expected["n_orders_life"].isna(), ["n_orders_life", "n_purchase_days"]] = 0
    assert len(found) == len(expected) > 2_000
    pd.testing.assert_frame_equal(
        found.sort_index(), expected.astype(float).sort_index(), check_names=False, rtol=0, atol=1e-6
    )
