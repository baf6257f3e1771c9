"""How does the shop as a whole do: does a category grow, do its prices rise, is it high season?"""

from collections.abc import Sequence
from datetime import date

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

SPAN_DAYS = 30
SEASON_DAYS = 7
YEAR_DAYS = 364  # 52 whole weeks
_DIGITS = 9  # the order of a sum of logarithms does not show


def join_market(found: DataFrame, product_days: DataFrame, days: Sequence[date]) -> DataFrame:
    """Rows of (user, as_of) with what the market was like then.

    In:   found with as_of, one of the days, and top_category; silver.product_days, any span.
    Out:  its columns, category_trend, category_price_index and season_index.
    """
    asked = F.explode(F.array(*(F.lit(day) for day in days)).cast("array<date>")).alias("as_of")
    return _join(found, product_days, _products(product_days).select("product_id", asked))


def join_market_on(found: DataFrame, product_days: DataFrame, days: DataFrame) -> DataFrame:
    """join_market with the days as a frame: as_of, each once."""
    return _join(found, product_days, _products(product_days).join(F.broadcast(days), how="cross"))


def _products(product_days: DataFrame) -> DataFrame:
    return product_days.select("product_id").distinct()


def _join(found: DataFrame, product_days: DataFrame, products: DataFrame) -> DataFrame:
    categories, shop = summarise_categories(product_days, products), summarise_season(product_days, products)
    return found.join(
        F.broadcast(categories.withColumnRenamed("category", "top_category")), on=["as_of", "top_category"], how="left"
    ).join(F.broadcast(shop), on="as_of", how="left")


def summarise_categories(product_days: DataFrame, asked: DataFrame) -> DataFrame:
    """What became of each category over the last 30 days, beside the 30 before.

    In:     silver.product_days, any span; asked: product_id and as_of, each pair once.
    Out:    key (as_of, category); category_trend, category_price_index.
    Rule:   a product is of the category that its latest day up to as_of named. category_trend = ln((a + 1) / (b + 1))
            with the events a of the last 30 days and b of the 30 before. category_price_index: over products with a
            price in both, the geometric mean of the ratio of the mean prices; null without such a product.
    Source: Jevons price index: ILO et al. (2004), Consumer Price Index Manual, section 9.
    """
    last, before = (0, SPAN_DAYS - 1), (SPAN_DAYS, 2 * SPAN_DAYS - 1)
    measures = ("n_events", "price_sum", "n_priced")
    by_product = _with_questions(product_days, asked, "product_id", "category", *measures)
    sums = {
        f"{name}_{part}": F.sum(name).over(_days_ago("product_id", *span))
        for name in measures
        for part, span in (("last", last), ("before", before))
    }
    until = Window.partitionBy("product_id").orderBy("day", "is_asked").rowsBetween(Window.unboundedPreceding, 0)
    known = by_product.withColumns({**sums, "category": F.last("category", ignorenulls=True).over(until)})
    price = [F.try_divide(F.col(f"price_sum_{part}"), F.col(f"n_priced_{part}")) for part in ("last", "before")]
    ratio = F.ln(price[0].cast("double") / price[1].cast("double"))
    return (
        known.where(F.col("is_asked") & F.col("category").isNotNull())
        .groupBy("as_of", "category")
        .agg(
            F.ln((_zero(F.sum("n_events_last")) + 1) / (_zero(F.sum("n_events_before")) + 1)).alias("category_trend"),
            F.round(F.exp(F.round(F.avg(ratio), _DIGITS)), _DIGITS).alias("category_price_index"),
        )
    )


def summarise_season(product_days: DataFrame, asked: DataFrame) -> DataFrame:
    """How busy the last 7 days were beside a usual week.

    In:   as summarise_categories.
    Out:  key as_of; season_index: events a day of 7 days over those of 364, each of as many days as there are since
          the shop's first; null where there was none.
    """
    shop = product_days.groupBy("day_on").agg(F.sum("n_events").alias("n_events"), F.lit(0).alias("shop"))
    days = asked.select("as_of", F.lit(0).alias("shop")).distinct()
    known = _with_questions(shop, days, "shop", "n_events")
    age = F.col("day") - F.min(F.when(~F.col("is_asked"), F.col("day"))).over(_days_ago("shop", 0, 1_000_000)) + 1
    recent = F.sum("n_events").over(_days_ago("shop", 0, SEASON_DAYS - 1)) / F.least(age, F.lit(SEASON_DAYS))
    usual = F.sum("n_events").over(_days_ago("shop", 0, YEAR_DAYS - 1)) / F.least(age, F.lit(YEAR_DAYS))
    return (
        known.select("as_of", "is_asked", F.try_divide(_zero(recent), usual).alias("season_index"))
        .where("is_asked")
        .drop("is_asked")
    )


def _with_questions(rows: DataFrame, asked: DataFrame, key: str, *columns: str) -> DataFrame:
    """The rows of days, and a row without numbers for each question: is_asked, as_of."""
    of_days = rows.select(
        key,
        F.unix_date("day_on").alias("day"),
        F.lit(None).cast("date").alias("as_of"),
        F.lit(False).alias("is_asked"),
        *columns,
    )
    questions = asked.select(key, F.unix_date("as_of").alias("day"), "as_of", F.lit(True).alias("is_asked"))
    return of_days.unionByName(questions, allowMissingColumns=True)


def _days_ago(key: str, least: int, most: int) -> WindowSpec:
    return Window.partitionBy(key).orderBy("day").rangeBetween(-most, -least)


def _zero(number: Column) -> Column:
    return F.coalesce(number, F.lit(0))
