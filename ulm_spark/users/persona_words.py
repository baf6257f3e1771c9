"""How is a user described in words? Basics, interests and habits, each a few words that a person reads."""

from pyspark.sql import Column
from pyspark.sql import functions as F

# From so many active days in 30, visits are called so.
_HOW_OFTEN = ((20, "nearly every day"), (8, "several times a week"), (4, "about weekly"), (1, "now and then"))
_PARTS = ("morning", "afternoon", "evening", "night")
_MOSTLY = 0.5


def basics_in_words() -> Column:
    """Such as "here for 5 months, mostly on mobile, first came by ads".

    In: tenure_days, device and channel of gold.user_features.
    """
    days = F.col("tenure_days")
    months, years = F.floor(days / 30), F.floor(days / 365)
    tenure = (
        F.when(days < 30, F.concat(F.lit("new: here for "), _counted(days, "day")))
        .when(days < 730, F.concat(F.lit("here for "), _counted(months, "month")))
        .otherwise(F.concat(F.lit("here for "), _counted(years, "year")))
    )
    device = F.when(F.col("device") == "app", "mostly in the app").otherwise(F.concat(F.lit("mostly on "), "device"))
    return F.concat_ws(", ", tenure, device, F.concat(F.lit("first came by "), "channel"))


def interests_in_words() -> Column:
    """Such as "looks at lamps, tents; brands Nordal; topic lamp, table, light".

    In:   categories, brands and topic_name of gold.user_personas. Of a category's path the last part is told.
    Edge: "no interests known" where there is none of them.
    """
    leaves = F.transform("categories", lambda path: F.element_at(F.split(path, "/"), -1))
    parts = F.concat_ws(
        "; ",
        F.when(F.size("categories") > 0, F.concat(F.lit("looks at "), F.concat_ws(", ", leaves))),
        F.when(F.size("brands") > 0, F.concat(F.lit("brands "), F.concat_ws(", ", "brands"))),
        F.concat(F.lit("topic "), "topic_name"),
    )
    return F.when(parts == "", "no interests known").otherwise(parts)


def habits_in_words() -> Column:
    """Such as "comes about weekly, mostly in the evening; at prices of 32 to 64; 3 orders, the last 12 days ago".

    In:   columns of gold.user_features.
    Rule: a part of the day, weekends or discounts are told where half or more lies in them.
    """
    return F.concat_ws(
        "; ",
        F.concat_ws(", ", _how_often(), *_when()),
        F.concat(F.lit("at prices of "), _prices()),
        _purchases(),
    )


def summary_in_words() -> Column:
    """One sentence of basics, interests and habits."""
    told = F.concat_ws("; ", "basics", "interests", "habits")
    return F.concat(F.upper(F.left(told, F.lit(1))), F.right(told, F.length(told) - 1), F.lit("."))


def _how_often() -> Column:
    unseen = F.concat(F.lit("not seen for "), _counted(F.col("inactive_days"), "day"))
    often = F.when(F.col("n_active_days_30d") < 1, unseen)
    for n_days, words in _HOW_OFTEN:
        often = often.when(F.col("n_active_days_30d") >= n_days, f"comes {words}")
    return often


def _when() -> tuple[Column, Column]:
    parts = [F.when(F.col(f"{part}_share") >= _MOSTLY, _part_in_words(part)) for part in _PARTS]
    return F.coalesce(*parts), F.when(F.col("weekend_share") >= _MOSTLY, "mostly at weekends")


def _part_in_words(part: str) -> Column:
    return F.lit("mostly at night" if part == "night" else f"mostly in the {part}")


def _prices() -> Column:
    """Both ends of the band, a power of two to the next."""
    band = F.col("top_price_band").try_cast("int")
    low, high = (F.pow(F.lit(2.0), band + n).cast("decimal(38,2)").cast("string") for n in (0, 1))
    return F.concat(_plain(low), F.lit(" to "), _plain(high))


def _plain(number: Column) -> Column:
    """32 in the place of 32.00."""
    return F.regexp_replace(number, r"\.00$", "")


def _purchases() -> Column:
    orders = F.concat(
        _counted(F.col("n_orders_life"), "order"),
        F.coalesce(F.concat(F.lit(", the last "), _counted(F.col("recency_days"), "day"), F.lit(" ago")), F.lit("")),
    )
    discount = F.when(F.col("discount_share") >= _MOSTLY, "mostly at a discount")
    bought = F.concat_ws(", ", orders, discount)
    return F.when(F.col("n_orders_life") < 1, "has not bought yet").otherwise(bought)


def _counted(number: Column, noun: str) -> Column:
    text = F.concat(number.cast("string"), F.lit(f" {noun}"))
    return F.when(number == 1, text).otherwise(F.concat(text, F.lit("s")))
