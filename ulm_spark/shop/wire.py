"""How an event reads on the wire: codes become ids, words and prices."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.shop.funnel import CODE_NAMES, PURCHASE, RETURN, REVIEW, SEARCH, VIEW
from ulm_spark.shop.personas import CHANNELS, COUNTRIES, DEVICES, PERSONAS
from ulm_spark.shop.words import BOT_USER_AGENTS, REVIEWS, USER_AGENTS

WIRE_COLUMNS = (
    "event_id", "event_at", "received_at", "event_type", "user_id", "device_id", "cookie_id", "product_id", "title",
    "category", "brand", "unit_price", "list_price", "currency", "quantity", "order_id", "query", "rating",
    "review_text", "channel", "campaign", "device", "user_agent", "country", "attributes",
)  # fmt: skip
"""Keys of a raw line, in this order; a null has no key."""

CAMPAIGNS = ("spring", "newin", "weekend", "bestof")
PAID_CHANNELS = ("ads", "email", "social")
PRICE = "DECIMAL(12,2)"


def user_id(index: str) -> Column:
    """Id of a shopper or bot from the column of its number."""
    return F.concat(F.lit("u"), F.lpad(F.col(index).cast("string"), 10, "0"))


def named(names: tuple[str, ...], code: Column) -> Column:
    """The name of a code from 0 on."""
    return F.get(F.array(*[F.lit(name) for name in names]), code)


def instant(milliseconds: str) -> Column:
    """A timestamp from a column of milliseconds since 1970."""
    return F.timestamp_millis(F.col(milliseconds))


def _ids(kind: str, second: str, width: int) -> Column:
    return F.concat(
        F.lit(kind),
        F.lpad(F.col("user_index").cast("string"), 10, "0"),
        F.lit("-"),
        F.lpad(F.col(second).cast("string"), width, "0"),
    )


def describe_events(coded: DataFrame, items: DataFrame, currency: str) -> DataFrame:
    """The events of shoppers and bots as a shop's tracker would send them.

    In:     coded as identities.identify gives it, items as catalogue.ITEMS_DDL.
    Out:    the columns of WIRE_COLUMNS but received_at and attributes, event_at a timestamp; and
            session_id, step, is_ambiguous and is_logged_in, which are never sent.
    Rule:   a search names no product; reviews and searches carry no price.
    """
    words = items.select(
        "item_index",
        "list_cents",
        F.col("product_id").alias("item_id"),
        F.col("title").alias("item_title"),
        F.col("category").alias("item_category"),
        F.col("brand").alias("item_brand"),
        F.col("query").alias("item_query"),
    )
    events = coded.join(F.broadcast(words), on="item_index", how="inner")
    code = F.col("code")
    has_product, has_price = code != SEARCH, ~code.isin(SEARCH, REVIEW)
    paid_cents = F.round(F.col("list_cents") * (100 - F.col("discount")) / 100)
    is_bot = F.col("persona") == len(PERSONAS)
    channel = named(CHANNELS, F.col("channel"))
    campaign = F.concat(channel, F.lit("-"), named(CAMPAIGNS, ((F.col("visit") + F.col("user_index")) % 4).cast("int")))
    opinion = F.concat_ws("/", F.col("user_index"), F.col("number"))
    wordings = F.array(*[F.array(*[F.lit(text) for text in texts]) for texts in REVIEWS])
    return events.select(
        _ids("e", "number", 6).alias("event_id"),
        instant("at_ms").alias("event_at"),
        named(CODE_NAMES, code).alias("event_type"),
        user_id("user_index").alias("user_id"),
        "device_id",
        "cookie_id",
        F.when(has_product, F.col("item_id")).alias("product_id"),
        F.when(code == VIEW, F.col("item_title")).alias("title"),
        F.when(has_product, F.col("item_category")).alias("category"),
        F.when(has_product, F.col("item_brand")).alias("brand"),
        F.when(has_price, (paid_cents / 100).cast(PRICE)).alias("unit_price"),
        F.when(has_price, (F.col("list_cents") / 100).cast(PRICE)).alias("list_price"),
        F.when(has_price, F.lit(currency)).alias("currency"),
        F.when(F.col("units") > 0, F.col("units")).alias("quantity"),
        F.when(code == PURCHASE, _ids("o", "visit", 5)).when(code == RETURN, _ids("r", "number", 6)).alias("order_id"),
        F.when(code == SEARCH, F.col("item_query")).alias("query"),
        F.when(code == REVIEW, F.col("rating")).alias("rating"),
        F.when(
            code == REVIEW,
            F.get(F.get(wordings, F.col("rating") - 1), F.pmod(F.xxhash64(opinion), F.lit(3)).cast("int")),
        ).alias("review_text"),
        channel.alias("channel"),
        F.when(channel.isin(*PAID_CHANNELS), campaign).alias("campaign"),
        named(DEVICES, F.col("device")).alias("device"),
        F.when(is_bot, named(BOT_USER_AGENTS, (F.col("user_index") % 2).cast("int")))
        .otherwise(named(USER_AGENTS, F.col("device")))
        .alias("user_agent"),
        named(COUNTRIES, F.col("country")).alias("country"),
        _ids("s", "visit", 5).alias("session_id"),
        F.col("step"),
        F.col("is_ambiguous"),
        F.col("is_logged_in"),
    )


def describe_listings(items: DataFrame, currency: str) -> DataFrame:
    """One listing event per item, with its words in both languages as attributes."""
    return items.select(
        F.concat(F.lit("l"), F.col("product_id")).alias("event_id"),
        instant("listed_ms").alias("event_at"),
        F.lit("listing").alias("event_type"),
        "product_id",
        "title",
        "category",
        "brand",
        (F.col("list_cents") / 100).cast(PRICE).alias("list_price"),
        F.lit(currency).alias("currency"),
        F.struct("title_zh", "description", "description_zh").alias("attributes"),
    )
