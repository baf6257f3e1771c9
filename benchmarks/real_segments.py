"""Segments and stages of life of real shops: tables, a page of charts, and RFM totals against independent counts.

Runs the jobs that the segments and stages need on UCI Online Retail and on Ta-Feng, in lakes of their own. Prints, of
each, segments with their size and median user, stages of life, how clear the segments are (silhouette) and how well a
second sample finds them again (stability). Recency, frequency and money of all buyers must equal what DuckDB makes of
the raw files alone. The charts are one HTML page below .ulm/. Needs the folder of real data sets that the configs
name, or $ULM_DATA. --quick takes Online Retail alone.
"""

import csv
import io
import os
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from benchmarks.form import Goal, Result, main, none_of, progress
from benchmarks.timed import run_ulm
from ulm_spark.contracts.gold import USER_SEGMENTS
from ulm_spark.contracts.segments import USER_RFM
from ulm_spark.contracts.stages import USER_STAGES
from ulm_spark.pipeline.graph import job_names, upstream

CONF = Path(__file__).parent.parent / "conf"
DATA = Path(os.environ.get("ULM_DATA", CONF.parent.parent / "shared" / "data"))
PAGE = Path(".ulm") / "real_segments.html"
SEGMENTS = """
select s.segment, s.label, count(*) n, round(avg(s.distance), 2) distance, median(f.recency_days) recency_days,
  median(f.n_purchase_days) purchase_days, round(median(f.net_revenue_life), 0) revenue
from gold.user_segments s join gold.user_features f on s.user_id = f.user_id and s.as_of = f.as_of
group by s.segment, s.label order by s.segment
"""
CELLS = "select rfm_segment, count(*) n, round(sum(monetary), 0) revenue from gold.user_rfm group by 1 order by n desc"
STAGES = "select stage, count(*) n from gold.user_stages group by stage order by stage"
RFM = "select user_id, recency_days, frequency, cast(monetary as string) monetary from gold.user_rfm order by user_id"
# Row by row what the adapters' descriptions say, in another system's SQL. Out: user_id, day, is_sale, amount.
RAW = {
    "online_retail": """
        with lines as (
            select *, row_number() over (partition by InvoiceNo, StockCode, Description, Quantity, InvoiceDate,
                UnitPrice, CustomerID, Country) nth
            from read_csv('{folder}/*.csv', all_varchar = true, header = true)
        )
        select replace(CustomerID, '.0', '') user_id, InvoiceDate::timestamp::date day_on,
            InvoiceNo not like 'C%' is_sale, Quantity::int * UnitPrice::decimal(18,4) amount
        from lines where nth = 1 and CustomerID is not null and UnitPrice::decimal(18,4) >= 0
            and InvoiceNo not like 'A%' and (InvoiceNo like 'C%' or Quantity::int > 0)
    """,
    "ta_feng": """
        select CUSTOMER_ID user_id, strptime(TRANSACTION_DT, '%m/%d/%Y')::date day_on, true is_sale,
            AMOUNT::int * round(SALES_PRICE::decimal(18,4) / AMOUNT::int, 4)::decimal(18,4) amount
        from read_csv('{folder}/*.csv', all_varchar = true, header = true)
    """,
}
EXPECTED = """
select user_id, date '{as_of}' - max(day_on) filter (is_sale) recency_days,
    count(distinct day_on) filter (is_sale) frequency, sum(amount)::decimal(18,4)::varchar monetary
from ({raw}) where day_on <= date '{as_of}' group by user_id having count(*) filter (is_sale) > 0 order by user_id
"""


@dataclass(frozen=True)
class Shop:
    """A real shop: its config, the day, and where its files are."""

    name: str
    as_of: date
    folder: Path

    def options(self, lake: Path) -> list[str]:
        """What ulm is told."""
        sets = (f"lake.root={lake}", f"source.path={self.folder}")
        return ["--config", str(CONF / f"{self.name}.yaml"), *(part for text in sets for part in ("--set", text))]


@dataclass(frozen=True)
class Described:
    """What the lake says of a shop's users, each a query's rows."""

    segments: list[dict[str, str]]
    cells: list[dict[str, str]]
    stages: list[dict[str, str]]
    quality: list[dict[str, str]]
    n_wrong: int


def needed_jobs() -> list[str]:
    """The jobs that write what is shown here, and all that they stand on."""
    wanted = [table.writer for table in (USER_SEGMENTS, USER_RFM, USER_STAGES)]
    needed: set[str] = set()
    while wanted:
        job = wanted.pop()
        if job not in needed:
            needed.add(job)
            wanted += upstream(job)
    return [job for job in job_names() if job in needed]


def ask(shop: Shop, lake: Path, query: str) -> list[dict[str, str]]:
    """The rows of a query."""
    return list(csv.DictReader(io.StringIO(run_ulm(["sql", query, *shop.options(lake)]).stdout)))


def describe(shop: Shop, lake: Path) -> Described:
    """Runs the jobs and asks the lake."""
    progress(f"{shop.name}: running {', '.join(needed_jobs())}")
    only = [part for job in needed_jobs() for part in ("--only", job)]
    run_ulm(["run", "--as-of", shop.as_of.isoformat(), *shop.options(lake), *only])
    metrics = "select key, value from (select explode(metrics) from ops.segment_models) order by key"
    return Described(
        ask(shop, lake, SEGMENTS),
        ask(shop, lake, CELLS),
        ask(shop, lake, STAGES),
        [
            row
            for row in ask(shop, lake, metrics)
            if row["key"].startswith(("n_segments", "silhouette", "stability", "is_chosen"))
        ],
        count_wrong(shop, ask(shop, lake, RFM)),
    )


def count_wrong(shop: Shop, found: Sequence[dict[str, str]]) -> int:
    """Buyers whose three numbers differ from those that DuckDB makes of the raw files, or who are in one alone."""
    query = EXPECTED.format(raw=RAW[shop.name].format(folder=shop.folder), as_of=shop.as_of)
    expected = {str(row[0]): (int(row[1]), int(row[2]), float(row[3])) for row in duckdb.execute(query).fetchall()}
    own = {row["user_id"]: (int(row["recency_days"]), int(row["frequency"]), float(row["monetary"])) for row in found}
    progress(f"{shop.name}: {len(expected):,} buyers, {sum(row[2] for row in expected.values()):,.2f} in all")
    return sum(expected.get(user) != own.get(user) for user in expected.keys() | own.keys())


def draw(found: dict[str, Described], page: Path) -> None:
    """Segments, cells and stages of each shop as bars, in one file."""
    panels = ("segments", "cells of recency and frequency", "stages of life")
    titles = [f"{name}: {panel}" for name in found for panel in panels]
    figure = make_subplots(rows=len(found), cols=len(panels), subplot_titles=titles)
    for row, shop in enumerate(found.values(), start=1):
        for column, (rows, label) in enumerate(
            ((shop.segments, "label"), (shop.cells, "rfm_segment"), (shop.stages, "stage")), start=1
        ):
            bars = go.Bar(x=[int(part["n"]) for part in rows], y=[part[label] for part in rows], orientation="h")
            figure.add_trace(bars, row=row, col=column)
    figure.update_layout(showlegend=False, template="plotly_white", height=480 * len(found))
    page.parent.mkdir(parents=True, exist_ok=True)
    figure.write_html(str(page), include_plotlyjs=True)


def table_rows(name: str, shop: Described) -> list[tuple[str, ...]]:
    """The shop's lines of the printed table."""
    rows: list[tuple[str, ...]] = [
        (name, "segment", f"{part['segment']} {part['label']}", part["n"], part["recency_days"], part["purchase_days"],
         part["revenue"])
        for part in shop.segments
    ]  # fmt: skip
    rows += [(name, "rfm", part["rfm_segment"], part["n"], "", "", part["revenue"]) for part in shop.cells]
    rows += [(name, "stage", part["stage"], part["n"], "", "", "") for part in shop.stages]
    return rows + [(name, "model", part["key"], f"{float(part['value']):.4f}", "", "", "") for part in shop.quality]


def measure(quick: bool) -> Result:
    """Each shop, then the page."""
    with tempfile.TemporaryDirectory(prefix="ulm-benchmark-") as folder:
        shops = [Shop("online_retail", date(2011, 12, 9), DATA / "online_retail" / "by-day")]
        if not quick:
            with zipfile.ZipFile(DATA / "ta_feng" / "ta_feng.csv.zip") as archive:
                archive.extractall(Path(folder) / "raw")
            shops.append(Shop("ta_feng", date(2001, 2, 28), Path(folder) / "raw"))
        found = {shop.name: describe(shop, Path(folder) / shop.name) for shop in shops}
    draw(found, PAGE)
    progress(f"charts in {PAGE}")
    rows = [row for name, shop in found.items() for row in table_rows(name, shop)]
    figures = {
        f"{name}_{part['key']}": round(float(part["value"]), 4) for name, shop in found.items() for part in shop.quality
    }
    goals: list[Goal] = [
        none_of(f"{name}: buyers whose recency, frequency or money is not the raw files'", shop.n_wrong)
        for name, shop in found.items()
    ]
    header = (
        "shop",
        "what",
        "name",
        "users",
        "median recency, days",
        "median purchase days",
        "median (rfm: whole) revenue",
    )
    return Result("real_segments", header, tuple(rows), figures, tuple(goals))


if __name__ == "__main__":
    sys.exit(main(__doc__.splitlines()[0] if __doc__ else "", measure))
