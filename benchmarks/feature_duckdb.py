"""Features by DuckDB: days of users summed up once, then each window a filter of the sums over them."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb

from benchmarks.feature_naive import EPOCH
from benchmarks.feature_sql import (
    CATALOGUE,
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
from ulm_spark.contracts.features import Feature

_PLACE = "row(-n, name)"
_IS_WEEKEND = "(day_no + 3) % 7 >= 5"
_DAY_NO = "(({}) - date '1970-01-01')"
_VIEWS = {
    "events": f"select *, {_DAY_NO.format('event_on')} day_no from raw_events "
    "where user_id is not null and event_type <> 'listing'",
    "sessions": f"select *, {_DAY_NO.format('cast(closes_at - interval 1 microsecond as date)')} day_no "
    "from raw_sessions",
    "lines": f"select *, {_DAY_NO.format('lined_on')} day_no from raw_lines where user_id is not null",
    "orders": "select user_id, order_id, min(day_no) day_no from lines where line_type = 'purchase' group by all",
}
_PRODUCTS = f"""
create table product_days as
select product_id, min(category) category, {_DAY_NO.format("event_on")} day_no, count(*) n,
  count(*) filter (unit_price > 0) priced, coalesce(sum(unit_price) filter (unit_price > 0), 0) prices
from raw_events where product_id is not null and event_type <> 'listing' group by product_id, event_on
"""


def open_tables(tables: Path, scratch: Path, n_threads: int, memory: str) -> duckdb.DuckDBPyConnection:
    """A connection that sees the Parquet files of a lake's silver tables."""
    connection = duckdb.connect(str(scratch / "features.duckdb"))
    for setting in (f"threads = {n_threads}", f"memory_limit = '{memory}'", f"temp_directory = '{scratch}'"):
        connection.execute(f"set {setting}")
    connection.execute("set preserve_insertion_order = false")
    connection.execute("set timezone = 'UTC'")
    for name, table in (("raw_events", "events"), ("raw_sessions", "sessions"), ("raw_lines", "order_lines")):
        connection.execute(f"create view {name} as select * from read_parquet('{tables}/silver/{table}/*.parquet')")
    for name, query in _VIEWS.items():
        connection.execute(f"create view {name} as {query}")
    return connection


def sum_up_days(connection: duckdb.DuckDBPyConnection) -> None:
    """The days of users and products, as tables."""
    for relation in RELATIONS:
        measures = {name: m for name, m in MEASURES.items() if m.relation == relation}
        columns = ", ".join(f"{m.summed} {name}" for name, m in measures.items())
        connection.execute(
            f"create table {relation}_days as select user_id, day_no, {columns} from {relation} group by all"
        )
    for name, named in NAMED.items():
        connection.execute(
            f"create table {name}_days as select user_id, day_no, {named.name} name, sum({named.weight}) n "
            f"from {named.relation} where {named.where} group by all"
        )
    connection.execute(
        "create table first_days as select user_id, day_no, min_by(channel, row(event_at, channel)) first_channel "
        "from events where channel is not null group by all"
    )
    connection.execute(
        "create table latest_days as select user_id, day_no, max_by(currency, row(lined_at, currency)) latest_currency "
        "from lines where line_type = 'purchase' group by all"
    )
    connection.execute(_PRODUCTS)


def write_features(connection: duckdb.DuckDBPyConnection, days: Sequence[date], out: Path) -> None:
    """The features of each day as a Parquet file of its own."""
    out.mkdir(parents=True, exist_ok=True)
    for day in days:
        last = (day - EPOCH).days
        market = MARKET.format(last=last, products="product_days")
        season = SEASON.format(last=last, products="product_days")
        query = assembled(day.isoformat(), last, _parts(last), market, season)
        connection.execute(f"copy ({query}) to '{out}/{day}.parquet' (format parquet)")


def _parts(last: int) -> list[str]:
    parts = [
        f"select user_id, {_sums(relation, last)} from {relation}_days where day_no <= {last} group by user_id"
        for relation in RELATIONS
    ]
    parts.append(GAPS.format(purchase_days="(select user_id, day_no from lines_days where n_lines > 0)", last=last))
    for column, label in named_windows():
        counts = f"select user_id, name, sum(n) n from {column}_days where {inside(label, last)} group by all"
        parts.append(NAMES.format(label=f"{column}_{label}", place=_PLACE, counts=counts))
    for table, column, aggregate in (
        ("first_days", "first_channel", "min_by"),
        ("latest_days", "latest_currency", "max_by"),
    ):
        chosen = f"{aggregate}({column}, day_no) {column}"
        parts.append(f"select user_id, {chosen} from {table} where day_no <= {last} group by user_id")
    return parts


def _sums(relation: str, last: int) -> str:
    columns = [
        f"{aggregate}(case when {name} > 0 then day_no end) {which}_{name}"
        for name in reached_in(relation)
        for which, aggregate in (("first", "min"), ("last", "max"))
    ]
    for label in WINDOWS:
        where = inside(label, last)
        columns += [f"sum({name}) filter ({where}) s_{name}_{label}" for name in summed_in(relation, label)]
        columns += [
            f"count(*) filter ({where} and {name} > 0) d_{name}_{label}" for name in counted_days_in(relation, label)
        ]
        columns += [
            f"sum({name}) filter ({where} and {_IS_WEEKEND}) w_{name}_{label}" for name in weekends_in(relation, label)
        ]
    return ", ".join(columns)


def differing_features(connection: duckdb.DuckDBPyConnection, ours: Path, theirs: Path) -> dict[str, int]:
    """How many (user, day) differ in each feature, and in being there at all, between two folders of Parquet files.

    Rule: equal, numbers with decimals to 1e-9 of the greater of 1 and their size.
    """
    left, right = (f"read_parquet('{folder}/*.parquet')" for folder in (ours, theirs))
    columns = ["count(*) filter (a.user_id is null or b.user_id is null) missing"]
    columns += [f"count(*) filter ({_differs(feature)}) {feature.name}" for feature in CATALOGUE]
    joined = f"{left} a full join {right} b on a.user_id = b.user_id and a.as_of = b.as_of"
    found = connection.execute(f"select {', '.join(columns)} from {joined}")
    names = [column[0] for column in found.description or ()]
    row = found.fetchone() or ()
    return {name: int(n) for name, n in zip(names, row, strict=True) if n}


def _differs(feature: Feature) -> str:
    a, b = f"a.{feature.name}", f"b.{feature.name}"
    if feature.type != "DOUBLE":
        return f"{a} is distinct from {b}"
    return f"({a} is null) <> ({b} is null) or abs({a} - {b}) > 1e-9 * greatest(1, abs({a}), abs({b}))"
