"""The catalogue of features as SQL over silver.events, silver.sessions and silver.order_lines, for other engines.

Written from the words of the contracts, beside the engine that users/features.py is, so that each can find the
other's errors. Both engines that use it (Spark SQL and DuckDB) bring relations with the columns ``user_id`` and
``day_no`` (days since 1970), and join what they sum up by user_id; the texts here name joined columns.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ulm_spark.contracts.features import (
    CATALOGUE,
    Days,
    Feature,
    First,
    Gap,
    Latest,
    Market,
    Names,
    Rate,
    Share,
    Since,
    Sum,
    Weekend,
)
from ulm_spark.contracts.user_days import FILTERS_ATTRIBUTE, SENTIMENT_ATTRIBUTE


@dataclass(frozen=True)
class Measure:
    """A column of silver.user_days: the sum of a value over the rows of a relation that meet a condition."""

    relation: str
    where: str
    value: str = "1"

    @property
    def summed(self) -> str:
        """The sum as SQL."""
        return f"sum(case when {self.where} then {self.value} else 0 end)"


@dataclass(frozen=True)
class Named:
    """A column of named counts: the names and their weights in a relation."""

    relation: str
    name: str
    where: str
    weight: str = "1"


_SENTIMENT = f"try_cast(attributes['{SENTIMENT_ATTRIBUTE}'] as decimal(18,4))"
_HAS_SENTIMENT = f"event_type = 'review' and {_SENTIMENT} between -1 and 1"
_IS_ITEM_BOUGHT = "line_type = 'purchase' and is_item"
_HAS_FILTERS = f"attributes['{FILTERS_ATTRIBUTE}'] is not null"
_PARTS = {"morning": (6, 12), "afternoon": (12, 18), "evening": (18, 24), "night": (0, 6)}
_KINDS = {
    "views": "view",
    "searches": "search",
    "clicks": "click",
    "carts": "cart",
    "removes": "remove",
    "reviews": "review",
}
MEASURES: dict[str, Measure] = {
    "n_events": Measure("events", "true"),
    **{f"n_{plural}": Measure("events", f"event_type = '{kind}'") for plural, kind in _KINDS.items()},
    "n_filtered_searches": Measure("events", f"event_type = 'search' and {_HAS_FILTERS}"),
    "n_ratings": Measure("events", "event_type = 'review' and rating is not null"),
    "rating_sum": Measure("events", "event_type = 'review' and rating is not null", "rating"),
    "n_sentiments": Measure("events", _HAS_SENTIMENT),
    "sentiment_sum": Measure("events", _HAS_SENTIMENT, _SENTIMENT),
    **{f"{part}_events": Measure("events", f"hour(event_at) between {a} and {b - 1}")
       for part, (a, b) in _PARTS.items()},
    "n_sessions": Measure("sessions", "true"),
    "n_bounces": Measure("sessions", "n_events = 1"),
    "n_cart_sessions": Measure("sessions", "n_carts > 0"),
    "n_abandoned_sessions": Measure("sessions", "has_abandoned_cart"),
    "n_buying_sessions": Measure("sessions", "has_purchase"),
    "session_events": Measure("sessions", "true", "n_events"),
    "session_steps": Measure("sessions", "true", "n_events - 1"),
    "session_s": Measure("sessions", "true", "duration_s"),
    "n_orders": Measure("orders", "true"),
    "n_lines": Measure("lines", "line_type = 'purchase'"),
    "n_units": Measure("lines", _IS_ITEM_BOUGHT, "quantity"),
    "n_units_returned": Measure("lines", "line_type = 'return' and is_item", "quantity"),
    "n_listed_lines": Measure("lines", f"{_IS_ITEM_BOUGHT} and list_price is not null"),
    "n_discounted_lines": Measure("lines", f"{_IS_ITEM_BOUGHT} and unit_price < list_price"),
    "gross_amount": Measure("lines", "line_type = 'purchase'", "amount"),
    "net_amount": Measure("lines", "true", "amount"),
}  # fmt: skip
NAMED: dict[str, Named] = {
    "hours": Named("events", "lpad(cast(hour(event_at) as string), 2, '0')", "true"),
    "categories": Named("events", "category", "category is not null"),
    "brands": Named("events", "brand", "brand is not null"),
    "price_bands": Named(
        "events", "cast(cast(floor(log2(cast(unit_price as double))) as int) as string)", "unit_price > 0"
    ),
    "devices": Named("events", "device", "device is not null"),
    "channels": Named("events", "channel", "channel is not null"),
    "products": Named("lines", "product_id", _IS_ITEM_BOUGHT, "quantity"),
}
RELATIONS = ("events", "sessions", "lines", "orders")
GAPS = """
with marked as (
  select user_id, day_no, day_no - lag(day_no) over (partition by user_id order by day_no) gap,
    row_number() over (partition by user_id order by day_no) nth
  from (select distinct user_id, day_no from {purchase_days} where day_no <= {last})
)
select user_id, case when count(gap) > 0 then avg(gap) end gap_mean,
  case when count(gap) > 1 then stddev_samp(gap) end gap_sd, max_by(gap, day_no) gap_last,
  case when count(gap) > 2 then regr_slope(gap, nth) end gap_trend,
  case when count(gap) > 0 then ({last} - max(day_no)) / avg(gap) end gap_overdue
from marked group by user_id
"""
NAMES = """
select user_id, count(*) {label}_n, greatest(ln(sum(n)) - sum(n * ln(n)) / sum(n), 0) {label}_entropy,
  min_by(name, {place}) {label}_top, max(n) / cast(sum(n) as double) {label}_share
from ({counts}) group by user_id
"""
MARKET = """
with seen as (
  select product_id, min(category) category,
    sum(case when day_no > {last} - 30 then n else 0 end) a, sum(case when day_no <= {last} - 30 then n else 0 end) b,
    sum(case when day_no > {last} - 30 then priced else 0 end) a_priced,
    sum(case when day_no <= {last} - 30 then priced else 0 end) b_priced,
    sum(case when day_no > {last} - 30 then prices else 0 end) a_prices,
    sum(case when day_no <= {last} - 30 then prices else 0 end) b_prices
  from {products} where day_no <= {last} and day_no > {last} - 60 group by product_id
)
select category, ln((sum(a) + 1) / cast(sum(b) + 1 as double)) trend,
  exp(avg(case when a_priced > 0 and b_priced > 0 then
    ln((cast(a_prices as double) / a_priced) / (cast(b_prices as double) / b_priced)) end)) price_index
from seen where category is not null group by category
"""
SEASON = """
select sum(case when day_no > {last} - 7 then n else 0 end)
  / cast(least(7, {last} - min(day_no) + 1) as double)
  / cast(sum(case when day_no > {last} - 364 then n else 0 end) as double) * least(364, {last} - min(day_no) + 1) season
from {products} where day_no <= {last}
"""


def window(feature: Feature) -> str:
    """The window as part of a name."""
    return "life" if feature.window_days is None else str(feature.window_days)


def inside(label: str, last: int) -> str:
    """The condition that a day lies in a window that ends with the day number last."""
    return f"day_no <= {last}" + ("" if label == "life" else f" and day_no > {last - int(label)}")


def summed_in(relation: str, label: str, catalogue: Iterable[Feature] = CATALOGUE) -> tuple[str, ...]:
    """Columns of a relation that features of a window sum up."""
    found: set[str] = set()
    for feature in catalogue:
        if window(feature) == label and isinstance(feature.rule, Sum | Share | Weekend | Rate):
            found |= {feature.rule.column, getattr(feature.rule, "over", feature.rule.column)}
    return tuple(sorted(name for name in found if MEASURES[name].relation == relation))


def counted_days_in(relation: str, label: str) -> tuple[str, ...]:
    """Columns of a relation on whose days features of a window rest."""
    found = {f.rule.column for f in CATALOGUE if isinstance(f.rule, Days) and window(f) == label}
    return tuple(sorted(name for name in found if MEASURES[name].relation == relation))


def weekends_in(relation: str, label: str) -> tuple[str, ...]:
    """Columns of a relation whose share of weekends features of a window hold."""
    found = {f.rule.column for f in CATALOGUE if isinstance(f.rule, Weekend) and window(f) == label}
    return tuple(sorted(name for name in found if MEASURES[name].relation == relation))


def reached_in(relation: str) -> tuple[str, ...]:
    """Columns of a relation whose first and last day features rest on."""
    found = {f.rule.column for f in CATALOGUE if isinstance(f.rule, Since)} | {"n_events"}
    return tuple(sorted(name for name in found if MEASURES[name].relation == relation))


def named_windows() -> tuple[tuple[str, str], ...]:
    """Each column of names with each window that a feature asks for."""
    return tuple(sorted({(f.rule.column, window(f)) for f in CATALOGUE if isinstance(f.rule, Names)}))


WINDOWS: tuple[str, ...] = tuple(sorted({window(f) for f in CATALOGUE}))


def feature_sql(feature: Feature, last: int) -> str:
    """The feature over joined columns, cast to its type and named."""
    return f"cast({_value(feature, last)} as {feature.type}) {feature.name}"


def _value(feature: Feature, last: int) -> str:
    rule, label = feature.rule, window(feature)
    match rule:
        case Sum():
            return f"coalesce(s_{rule.column}_{label}, 0)"
        case Share():
            return _ratio(f"s_{rule.column}_{label}", f"s_{rule.over}_{label}")
        case Weekend():
            return _ratio(f"w_{rule.column}_{label}", f"s_{rule.column}_{label}")
        case Days():
            return f"coalesce(d_{rule.column}_{label}, 0)"
        case Since():
            return f"{last} - {rule.which}_{rule.column}"
        case Rate():
            return f"coalesce(s_{rule.column}_{label}, 0) * cast(30 as double) / ({last} - first_n_events + 1)"
        case Gap():
            return f"gap_{rule.which}"
        case Names():
            joined = f"{rule.column}_{label}_{rule.which}"
            return f"coalesce({joined}, 0)" if rule.which == "n" else joined
        case First():
            return rule.column
        case Latest():
            return f"latest_{rule.column}"
        case Market(which="trend"):
            return "case when categories_90_top is not null then coalesce(trend, 0) end"
        case Market(which="price_index"):
            return "price_index"
        case _:
            return "season"


def _ratio(part: str, whole: str) -> str:
    return f"cast(coalesce({part}, 0) as double) / cast(nullif({whole}, 0) as double)"


def assembled(as_of: str, last: int, parts: Iterable[str], market: str, season: str) -> str:
    """One row per user: every part, the first of which holds all users, joined by user_id, and every feature.

    In: as_of as YYYY-MM-DD, last its day number; parts as queries, market by category, season a single row.
    """
    first, *others = parts
    joins = "".join(f" left join ({part}) q{number} using (user_id)" for number, part in enumerate(others))
    columns = ", ".join(feature_sql(feature, last) for feature in CATALOGUE)
    return (
        f"select date '{as_of}' as_of, user_id, {columns} from ({first}) users{joins} "
        f"left join ({market}) market on market.category = categories_90_top cross join ({season}) season"
    )
