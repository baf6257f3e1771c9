"""What did each user look at lately: categories, brands, and the words of the titles?"""

from datetime import date, timedelta

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from ulm_spark.config.clock import end_of, start_of

N_TOP = 3
# So often does one product's title count for one user at most.
_MOST_VIEWS = 5
_STOP_WORDS = (
    *("a", "an", "and", "as", "at", "be", "but", "by", "for", "from", "in", "into", "is", "it", "its", "no", "not"),
    *("of", "on", "or", "our", "set", "so", "than", "that", "the", "their", "this", "to", "was", "we", "with", "you"),
    *("der", "die", "das", "und", "mit", "für", "von", "le", "la", "les", "de", "des", "du", "et", "pour", "avec"),
)


def list_interests(events: DataFrame, as_of: date, window_days: int, zone: str) -> DataFrame:
    """Top categories and brands, and the words of viewed products, of each user who touched an item in the window.

    In:   silver.events, any span.
    Out:  key user_id; categories and brands, the three touched most by events, ties by name; words, one entry for each
          time that a viewed product's title has it, empty without one.
    Rule: the window is the window_days local days that end with as_of. A product's title is its latest that
          was known by then. Words are runs of letters and digits with a letter in them, in lower case, of two
          letters or more, without the commonest of English, German and French; one product counts five times at most.
    Edge: an event without a user, or of no item, counts for nobody.
    """
    known = events.where(F.col("event_at") < F.lit(end_of(as_of, zone)))
    begins = start_of(as_of - timedelta(days=window_days - 1), zone)
    touches = known.where((F.col("event_at") >= F.lit(begins)) & F.col("is_item") & F.col("user_id").isNotNull())
    tops = _top(touches, "category", "categories").join(_top(touches, "brand", "brands"), on="user_id", how="full")
    words = _words(touches.where(F.col("event_type") == "view"), _titles(known))
    no_texts = F.array().cast("array<string>")
    columns = [F.coalesce(name, no_texts).alias(name) for name in ("categories", "brands", "words")]
    return tops.join(words, on="user_id", how="full").select("user_id", *columns)


def _top(touches: DataFrame, column: str, name: str) -> DataFrame:
    counts = touches.where(F.col(column).isNotNull()).groupBy("user_id", column).agg(F.count(F.lit(1)).alias("n"))
    order = Window.partitionBy("user_id").orderBy(F.desc("n"), column)
    order = order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    ranked = counts.withColumn("place", F.row_number().over(order)).where(F.col("place") <= N_TOP)
    gathered = F.sort_array(F.collect_list(F.struct("place", column)))
    return ranked.groupBy("user_id").agg(F.transform(gathered, lambda pair: pair[column]).alias(name))


def _titles(known: DataFrame) -> DataFrame:
    """product_id and words of its latest title, the later event_id first where two came at once."""
    titled = known.where(F.col("product_id").isNotNull() & F.col("title").isNotNull())
    latest = F.max_by("title", F.struct("event_at", "event_id"))
    return titled.groupBy("product_id").agg(_split(latest).alias("words"))


def _split(title: Column) -> Column:
    words = F.split(F.lower(title), r"[^\p{L}\p{N}]+")
    # Three digits in a row are of an article's number, which says nothing of what it is.
    return F.filter(
        words, lambda w: w.rlike(r"\p{L}") & ~w.rlike(r"\p{N}{3}") & (F.length(w) > 1) & ~w.isin(*_STOP_WORDS)
    )


def _words(views: DataFrame, titles: DataFrame) -> DataFrame:
    n_views = F.least(F.count(F.lit(1)), F.lit(_MOST_VIEWS)).cast("int").alias("n_views")
    viewed = views.where(F.col("product_id").isNotNull()).groupBy("user_id", "product_id").agg(n_views)
    told = viewed.join(titles, on="product_id", how="inner")
    repeated = F.flatten(F.array_repeat("words", F.col("n_views")))
    return told.groupBy("user_id").agg(F.flatten(F.collect_list(repeated)).alias("words"))
