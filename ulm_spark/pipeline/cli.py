"""The ``ulm`` command."""

import sys
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from ulm_spark.config.clock import shop_zone
from ulm_spark.config.errors import ConfigError
from ulm_spark.config.load import load
from ulm_spark.contracts.ops import REPORTS
from ulm_spark.contracts.tables import TABLES
from ulm_spark.lake.job import guarded, log_to_stderr, parse_as_of
from ulm_spark.lake.session import open_session
from ulm_spark.lake.store import Lake
from ulm_spark.pipeline import graph as job_graph
from ulm_spark.pipeline.display import Display
from ulm_spark.pipeline.doctor import check_machine
from ulm_spark.pipeline.query import as_texts, find_table, query, write_csv
from ulm_spark.pipeline.runner import LakeSections, RunSections, plan, run_jobs

PIPE_WIDTH = 200
UNBOUNDED_WIDTH = 1_000_000

app = typer.Typer(
    name="ulm",
    help="User lifecycle management for e-commerce on Spark: from raw shop events to features, models and a report.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="YAML file, such as conf/demo.yaml; without it the defaults hold."),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.FIELD=VALUE", help="Override a value; may be repeated."),
]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", help="Last day that counts, as YYYY-MM-DD; else the config's pipeline.as_of."),
]


@app.command()
def simulate(config: Config = None, overrides: Overrides = None) -> None:
    """Make a synthetic shop: raw event files, and the truth that was planted in them."""
    from jobs import simulate_shop

    conf = load(config, simulate_shop.Conf, overrides or ())
    sections = load(config, RunSections, overrides or ())
    spark = open_session("ulm simulate", sections.spark)
    display = Display(1)
    with display.running(job_graph.SIMULATION, spark):
        simulate_shop.run(spark, conf, conf.simulation.ends_on)


@app.command()
def run(
    config: Config = None,
    as_of: AsOf = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="JOB", help="Run this job alone; may be repeated.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="JOB", help="Run this job and all that depend on it.")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option("--without", metavar="JOB", help="Leave this job out; may be repeated.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run, and stop.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Run jobs again whose last run still holds.")] = False,
    overrides: Overrides = None,
) -> None:
    """Run the jobs for one day, in the order that their tables imply; skip what is done."""
    sections = load(config, RunSections, overrides or ())
    day = parse_as_of(as_of) if as_of else sections.pipeline.as_of
    if day is None:
        raise ConfigError("--as-of: found none, nor pipeline.as_of in the config; expected a day. Give one.")
    planned = plan(job_graph.select_jobs(only or (), start, without or ()), config, overrides or ())
    spark = open_session(f"ulm run {day}", sections.spark)
    lake = Lake(spark, sections.lake)
    run_jobs(lake, planned, day, Display(len(planned)), force=force, dry_run=dry_run)
    makes_report = any(job.name == REPORTS.writer for job in planned)
    report = newest_report(lake, day) if makes_report and not dry_run else None
    if report is not None:
        typer.echo(report)


@app.command()
def stream(
    config: Config = None,
    until_caught_up: Annotated[
        bool, typer.Option("--until-caught-up", help="Stop when what there is now is in the lake.")
    ] = False,
    overrides: Overrides = None,
) -> None:
    """Bring a topic's messages, or files, into the lake as they come, and their sessions; Ctrl-C stops it cleanly."""
    from jobs import stream_events

    conf = load(config, stream_events.Conf, overrides or ())
    spark = open_session("ulm stream", conf.spark)
    today = datetime.now(shop_zone(conf.shop.zone)).date()
    display = Display(1)
    with display.running(job_graph.STREAM, spark):
        stream_events.run(spark, conf, today, until_caught_up)


@app.command()
def graph(
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Print Mermaid's notation.")] = False,
) -> None:
    """Print the jobs in running order, with the tables that each reads and writes."""
    typer.echo(job_graph.render_mermaid() if mermaid else job_graph.render_graph())


@app.command()
def tables(
    name: Annotated[str | None, typer.Argument(help="One table, such as silver.sessions.")] = None,
) -> None:
    """Print the contracts: every table's grain, key and writer, or one table's columns."""
    console = _wide_console()
    if name is None:
        overview = RichTable("table", "grain", "key", "writer")
        for table in TABLES:
            overview.add_row(table.name, table.grain, ", ".join(table.key), table.writer)
        console.print(overview)
        return
    table = find_table(name)
    columns = RichTable("column", "type", "null", "unit", "meaning", title=f"{table.name}: {table.grain}")
    for column in table.columns:
        columns.add_row(column.name, column.type, "yes" if column.nullable else "no", column.unit, column.meaning)
    console.print(columns)


@app.command()
def show(
    table: Annotated[str, typer.Argument(help="A table, such as silver.sessions.")],
    config: Config = None,
    rows: Annotated[int, typer.Option("--rows", "-n", min=1, help="How many rows.")] = 10,
    overrides: Overrides = None,
) -> None:
    """Print some rows of a table: side by side, or one under the other where they are too wide."""
    contract = find_table(table)
    lake = _open_lake(config, overrides or [])
    found = as_texts(lake.read(contract).limit(rows)).collect()
    cells = [[Text("" if value is None else str(value)) for value in row] for row in found]
    console = _wide_console()
    side_by_side = RichTable(*contract.column_names, title=contract.name)
    for row in cells:
        side_by_side.add_row(*row)
    unbounded = console.options.update(max_width=UNBOUNDED_WIDTH)
    if not cells or console.measure(side_by_side, options=unbounded).maximum <= console.width:
        console.print(side_by_side)
        return
    for number, row in enumerate(cells, start=1):
        record = RichTable("column", "value", title=f"{contract.name}, row {number}")
        for name, cell in zip(contract.column_names, row, strict=True):
            record.add_row(name, cell)
        console.print(record)


@app.command()
def sql(
    text: Annotated[str, typer.Argument(metavar="QUERY", help='Such as "select count(*) from silver.sessions".')],
    config: Config = None,
    overrides: Overrides = None,
) -> None:
    """Print a query's result as CSV on stdout, and nothing else there."""
    lake = _open_lake(config, overrides or [])
    write_csv(query(lake, text), sys.stdout)


@app.command()
def doctor(config: Config = None) -> None:
    """Check this machine, and say what to do about each failure."""
    sections = load(config, LakeSections)
    findings = check_machine(sections.lake.root)
    for finding in findings:
        typer.echo(f"{'ok  ' if finding.is_ok else 'FAIL'} {finding.check}: {finding.found}")
        if not finding.is_ok:
            typer.echo(f"     {finding.remedy}")
    if not all(finding.is_ok for finding in findings):
        raise typer.Exit(1)


def newest_report(lake: Lake, as_of: date) -> str | None:
    """The page made for a day, None where there is none yet."""
    row = lake.read(REPORTS).where(F.col("as_of") == F.lit(as_of)).select("path").first()
    return None if row is None else f"{lake.root}/{row['path']}"


def _wide_console() -> Console:
    """As wide as the terminal; wide enough for a table where there is none, such as in a pipe."""
    return Console() if sys.stdout.isatty() else Console(width=PIPE_WIDTH)


def _open_lake(config: Path | None, overrides: list[str]) -> Lake:
    sections = load(config, LakeSections, overrides)
    return Lake(open_session("ulm", sections.spark), sections.lake)


def main() -> NoReturn:
    """Runs the command line; a known failure is one line on stderr and its exit code."""
    log_to_stderr()
    sys.exit(guarded("ulm", lambda: app(prog_name="ulm")))


if __name__ == "__main__":
    main()
