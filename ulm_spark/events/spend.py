"""What does each row of a file of marketing spend say, and is it spend?"""

from dataclasses import dataclass
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from ulm_spark.config.require import require
from ulm_spark.contracts.marketing import MARKETING_SPEND, SPEND_QUARANTINE
from ulm_spark.contracts.silver import MONEY

SPEND_COLUMNS = ("day", "channel", "amount", "currency")
_GLOB_LETTERS = "*?[]{}"
_DDL = ", ".join(f"{name} STRING" for name in SPEND_COLUMNS) + ", misfit STRING"
_MOST_COMMAS = 1_000  # Spark's parser fails the job on a line of more than 20,480 fields
_FIRST_DAY, _LAST_DAY = date(1990, 1, 1), date(2999, 12, 31)
_NO_UTF8 = "\ufffd"  # what a reader puts in the place of bytes that are none


@dataclass(frozen=True)
class MarketingConf:
    """Section ``marketing``.

    spend_path: a CSV file, or a folder of them, on any Hadoop path, with the header day,channel,amount,currency;
    empty where the shop tells no spend. A row is what was spent on a channel on a local day, in the shop's
    currency, which an empty currency stands for; channels have the names that events call them by.
    """

    spend_path: str = ""

    def __post_init__(self) -> None:
        is_plain = not set(self.spend_path) & set(_GLOB_LETTERS)
        require(is_plain, "marketing.spend_path", self.spend_path, "a file or a folder, no pattern")


def split_lines(texts: DataFrame) -> DataFrame:
    """One row per line that is not blank, the header too.

    In:  source_file, text: one row per file.
    Out: source_file, source_line from 1, line without its line break and a byte order mark.
    """
    lines = F.posexplode(F.split(F.regexp_replace("text", "^\ufeff", ""), "\r?\n", -1)).alias("place", "line")
    return (
        texts.select("source_file", lines)
        .where(F.trim("line") != "")
        .select("source_file", (F.col("place") + 1).cast("bigint").alias("source_line"), "line")
    )


def is_header() -> Column:
    """True for a line that names SPEND_COLUMNS in their order, whatever the case, the blanks and the quotes."""
    return F.lower(F.regexp_replace("line", '[\\s"]', "")) == ",".join(SPEND_COLUMNS)


def judge_spend(rows: DataFrame, currency: str) -> DataFrame:
    """Each row read, with the first rule that it breaks.

    In:   split_lines without headers; currency is the shop's.
    Out:  source_file, source_line, line, day_on, channel, amount, currency, reason and detail, both null for
          spend.
    Rule: a quoted value may hold commas, and quotes written twice, no line break. A day is YYYY-MM-DD, from 1990
          on; an amount a number that is not negative, with at most 11 digits before and 4 behind the point. Of
          several rows of one day and channel the first counts, by file and line: whether others are parts or
          copies of it nobody knows.
    """
    options = {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": "misfit", "escape": '"'}
    n_commas = F.length("line") - F.length(F.replace(F.col("line"), F.lit(",")))
    is_legible = (n_commas <= _MOST_COMMAS) & ~F.contains("line", F.lit(_NO_UTF8))
    said = rows.select(
        "source_file", "source_line", "line", F.from_csv(F.when(is_legible, F.col("line")), _DDL, options).alias("said")
    )
    text = {name: F.trim(F.coalesce(F.col(f"said.{name}"), F.lit(""))) for name in SPEND_COLUMNS}
    is_day, is_amount = text["day"].rlike(r"^\d{4}-\d{2}-\d{2}$"), text["amount"].rlike(r"^\d{1,11}(\.\d{1,4})?$")
    day = text["day"].try_cast("date")
    named = F.when(text["currency"] == "", F.lit(currency)).otherwise(F.upper(text["currency"]))
    read = said.select(
        "source_file",
        "source_line",
        "line",
        (F.col("said").isNull() | F.col("said.misfit").isNotNull()).alias("is_misfit"),
        F.when(is_day & day.between(_FIRST_DAY, _LAST_DAY), day).alias("day_on"),
        text["channel"].alias("channel"),
        F.when(is_amount, text["amount"].try_cast(MONEY)).alias("amount"),
        named.alias("currency"),
    )
    broken = read.withColumn("failure", _failure(currency))
    same = (
        Window.partitionBy("day_on", "channel", F.col("failure").isNull())
        .orderBy("source_file", "source_line")
        .rowsBetween(Window.unboundedPreceding, Window.currentRow)
    )
    is_copy = F.col("failure").isNull() & (F.row_number().over(same) > 1)
    copy = _broken("duplicate", "one row for each day and channel")
    judged = broken.withColumn("failure", F.when(is_copy, copy).otherwise(F.col("failure")))
    return judged.select("*", "failure.reason", "failure.detail").drop("failure", "is_misfit")


def kept_spend(judged: DataFrame) -> DataFrame:
    """silver.marketing_spend of judge_spend's rows."""
    return judged.where(F.col("reason").isNull()).select(*MARKETING_SPEND.column_names)


def refused_spend(judged: DataFrame) -> DataFrame:
    """bronze.spend_quarantine of judge_spend's rows."""
    return judged.where(F.col("reason").isNotNull()).select(*SPEND_QUARANTINE.column_names)


def _failure(currency: str) -> Column:
    rules = (
        (F.col("is_misfit"), "bad_columns", f"the columns {', '.join(SPEND_COLUMNS)}, in UTF-8"),
        (F.col("day_on").isNull(), "bad_day", "day as YYYY-MM-DD, a day that the calendar has, from 1990 on"),
        (F.col("channel") == "", "missing_channel", "a channel"),
        (
            F.col("amount").isNull(),
            "bad_amount",
            "amount not negative, at most 11 digits before the point, 4 behind it",
        ),
        (F.col("currency") != currency, "other_currency", f"currency {currency}, the shop's, or none"),
    )
    failure = F.lit(None).cast("struct<reason: string, detail: string>")
    for is_broken, reason, detail in reversed(rules):
        failure = F.when(is_broken, _broken(reason, detail)).otherwise(failure)
    return failure


def _broken(reason: str, detail: str) -> Column:
    return F.struct(F.lit(reason).alias("reason"), F.lit(detail).alias("detail"))
