"""Features as most teams write them: for each window one grouping of the filtered facts, all joined by user."""

from datetime import date

from pyspark.sql import DataFrame

from benchmarks.feature_sql import (
    GAPS,
    MARKET,
    MEASURES,
    NAMED,
    NAMES,
    RELATIONS,
    SEASON,
    WINDOWS,
    assembled,
    counted_days_in,
    inside,
    named_windows,
    reached_in,
    summed_in,
    weekends_in,
)
from ulm_spark.contracts.silver import EVENTS, ORDER_LINES, SESSIONS
from ulm_spark.lake.store import Lake

EPOCH = date(1970, 1, 1)
_PLACE = "struct(-n, name)"
_IS_WEEKEND = "(day_no + 3) % 7 >= 5"
_VIEWS = {
    "events": "select *, unix_date(event_on) day_no from raw_events "
    "where user_id is not null and event_type <> 'listing'",
    "sessions": "select *, unix_date(to_date(closes_at - interval 1 microsecond)) day_no from raw_sessions",
    "lines": "select *, unix_date(lined_on) day_no from raw_lines where user_id is not null",
    "orders": "select user_id, order_id, min(day_no) day_no from lines where line_type = 'purchase' group by all",
    "products": "select product_id, category, unix_date(event_on) day_no, 1 n, "
    "case when unit_price > 0 then 1 else 0 end priced, "
    "case when unit_price > 0 then unit_price else 0 end prices from raw_events "
    "where product_id is not null and event_type <> 'listing'",
}


def build_naively(lake: Lake, as_of: date) -> DataFrame:
    """gold.user_features of a day, straight from the silver tables of a lake."""
    for name, table in (("raw_events", EVENTS), ("raw_sessions", SESSIONS), ("raw_lines", ORDER_LINES)):
        lake.read(table).createOrReplaceTempView(name)
    for name, query in _VIEWS.items():
        lake.spark.sql(query).createOrReplaceTempView(name)
    last = (as_of - EPOCH).days
    market = MARKET.format(last=last, products="products")
    season = SEASON.format(last=last, products="products")
    return lake.spark.sql(assembled(as_of.isoformat(), last, _parts(last), market, season))


def _parts(last: int) -> list[str]:
    parts = [f"select user_id, {_reached('events')} from events where day_no <= {last} group by user_id"]
    parts += [
        f"select user_id, {_reached(name)} from {name} where day_no <= {last} group by user_id"
        for name in RELATIONS[1:]
        if reached_in(name)
    ]
    parts += [
        f"select user_id, {columns} from {name} where {inside(label, last)} group by user_id"
        for name in RELATIONS
        for label in WINDOWS
        if (columns := _sums(name, label))
    ]
    purchases = "(select user_id, day_no from lines where line_type = 'purchase')"
    parts.append(GAPS.format(purchase_days=purchases, last=last))
    for column, label in named_windows():
        named = NAMED[column]
        counts = (
            f"select user_id, {named.name} name, sum({named.weight}) n from {named.relation} "
            f"where {named.where} and {inside(label, last)} group by 1, 2"
        )
        parts.append(NAMES.format(label=f"{column}_{label}", place=_PLACE, counts=counts))
    parts.append(
        "select user_id, min(struct(event_at, channel)).channel first_channel from events "
        f"where channel is not null and day_no <= {last} group by user_id"
    )
    parts.append(
        "select user_id, max(struct(lined_at, currency)).currency latest_currency from lines "
        f"where line_type = 'purchase' and day_no <= {last} group by user_id"
    )
    return parts


def _reached(relation: str) -> str:
    days = {name: f"case when {MEASURES[name].where} then day_no end" for name in reached_in(relation)}
    return ", ".join(f"min({day}) first_{name}, max({day}) last_{name}" for name, day in days.items())


def _sums(relation: str, label: str) -> str:
    columns = [f"{MEASURES[name].summed} s_{name}_{label}" for name in summed_in(relation, label)]
    columns += [
        f"count(distinct case when {MEASURES[name].where} then day_no end) d_{name}_{label}"
        for name in counted_days_in(relation, label)
    ]
    columns += [
        f"sum(case when {_IS_WEEKEND} and {m.where} then {m.value} else 0 end) w_{name}_{label}"
        for name, m in ((name, MEASURES[name]) for name in weekends_in(relation, label))
    ]
    return ", ".join(columns)
