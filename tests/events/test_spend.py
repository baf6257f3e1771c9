"""A row of marketing spend is kept, or refused with its reason."""

from datetime import date
from decimal import Decimal

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from tests.frames import rows_of
from ulm_spark.config.errors import ConfigError
from ulm_spark.contracts.marketing import MARKETING_SPEND, SPEND_QUARANTINE
from ulm_spark.events.spend import MarketingConf, is_header, judge_spend, kept_spend, refused_spend, split_lines

TEXTS = "source_file STRING, text STRING"
ROWS = {
    "2024-05-01,ads,120.50,EUR": None,
    '2024-05-01," social, paid ",0,': None,
    "2024-05-02,ads, 1.0001 ,eur": None,
    "2024-05-01,ads,1,EUR": "duplicate",
    "2024-05-03,ads": "bad_columns",
    "2024-05-03,ads,1,EUR,more": "bad_columns",
    "2024-02-30,ads,1,EUR": "bad_day",
    "01.05.2024,ads,1,EUR": "bad_day",
    "2024-05-03,,1,EUR": "missing_channel",
    "2024-05-03,ads,-1,EUR": "bad_amount",
    "2024-05-03,ads,1e3,EUR": "bad_amount",
    "2024-05-03,ads,1.00001,EUR": "bad_amount",
    "2024-05-03,ads,,EUR": "bad_amount",
    "2024-05-03,ads,7,USD": "other_currency",
    "2024-05-03,ads,8,EUR": None,
    '2024-05-04,"a ""b""",1,': None,
    "2024-05-04,caf\ufffd,1,": "bad_columns",
    "2024-05-04,ads,1,EUR" + "," * 30_000: "bad_columns",
    "2024-05-04,ads,123456789012,EUR": "bad_amount",
    "0001-01-01,ads,1,EUR": "bad_day",
}


def test_every_row_is_kept_or_has_the_first_rule_that_it_breaks(spark: SparkSession) -> None:
    texts = "\ufeffday,channel,amount,currency\r\n" + "\r\n".join(ROWS) + "\r\n\n  \n"
    lines = split_lines(rows_of(spark, TEXTS, [{"source_file": "a.csv", "text": texts}]))
    judged = judge_spend(lines.where(~is_header()), "EUR").repartition(3)
    found = judged.orderBy("source_line").select("line", "reason", "source_line").collect()
    assert [(row["line"], row["reason"]) for row in found] == list(ROWS.items())
    assert [row["source_line"] for row in found] == list(range(2, len(ROWS) + 2))
    kept, refused = kept_spend(judged), refused_spend(judged)
    assert kept.columns == list(MARKETING_SPEND.column_names)
    assert refused.columns == list(SPEND_QUARANTINE.column_names)
    assert kept.count() + refused.count() == len(ROWS)
    assert refused.where(F.col("detail").isNull()).count() == 0
    values = kept.orderBy("source_line").select("day_on", "channel", "amount", "currency").collect()
    assert [tuple(row) for row in values] == [
        (date(2024, 5, 1), "ads", Decimal("120.5"), "EUR"),
        (date(2024, 5, 1), "social, paid", Decimal(0), "EUR"),
        (date(2024, 5, 2), "ads", Decimal("1.0001"), "EUR"),
        (date(2024, 5, 3), "ads", Decimal(8), "EUR"),
        (date(2024, 5, 4), 'a "b"', Decimal(1), "EUR"),
    ]


def test_of_several_files_the_first_by_name_tells_a_day_and_channel(spark: SparkSession) -> None:
    texts = [{"source_file": name, "text": f"2024-05-01,ads,{n},EUR"} for n, name in ((2, "b.csv"), (1, "a.csv"))]
    judged = judge_spend(split_lines(rows_of(spark, TEXTS, texts)), "EUR")
    assert [(r["source_file"], r["amount"]) for r in kept_spend(judged).collect()] == [("a.csv", Decimal(1))]


@pytest.mark.parametrize(
    ("line", "is_one"),
    [("day,channel,amount,currency", True), ('"Day", Channel ,AMOUNT,Currency', True), ("channel,day,amount", False)],
)
def test_a_header_names_the_columns_in_their_order(spark: SparkSession, line: str, is_one: bool) -> None:
    (row,) = rows_of(spark, "line STRING", [{"line": line}]).select(is_header()).collect()
    assert row[0] is is_one


def test_a_pattern_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"marketing\.spend_path: found spend/\*\.csv; expected a file or a folder"):
        MarketingConf(spend_path="spend/*.csv")
