"""Can the numbers be trusted, and what did they cost? Data quality and run times."""

from ulm_spark.report import figures, words
from ulm_spark.report.blocks import Cell, Chart, Grid, Section, text_row
from ulm_spark.report.records import Record, Records, ReportTables

KEPT = "kept"


def _outcome_grid(rows: Records, totals: dict[str, float]) -> Grid:
    ordered = sorted(
        rows, key=lambda r: (r.text("source"), r.text("outcome") != KEPT, -r.number("n_rows"), r.text("outcome"))
    )
    body = [
        text_row(
            row.text("source"),
            words.plain(row.text("outcome")),
            words.whole(row.number("n_rows")),
            words.percent(words.share_of(row.number("n_rows"), totals[row.text("source")]), 2),
        )
        for row in ordered
    ]
    body += [
        (Cell(source, kind="total"), Cell("received", kind="total"), Cell(words.whole(n), kind="total"), Cell(""))
        for source, n in sorted(totals.items())
    ]
    return Grid("Rows received, by source and outcome", ("Source", "Outcome", "Rows", "Share"), tuple(body), 2)


def data_quality(tables: ReportTables) -> Section:
    """Rows kept and quarantined, by reason; the sum is what was received."""
    intro = "Every row received is kept or quarantined with a reason; none is dropped."
    rows = tables.data_quality
    totals: dict[str, float] = {}
    reasons: dict[str, float] = {}
    for row in rows:
        totals[row.text("source")] = totals.get(row.text("source"), 0.0) + row.number("n_rows")
        if row.text("outcome") != KEPT:
            reasons[row.text("outcome")] = reasons.get(row.text("outcome"), 0.0) + row.number("n_rows")
    n_all, n_bad = sum(totals.values()), sum(reasons.values())
    if not n_all:
        return Section("data-quality", "Data quality", intro, ("No row was received yet.",))
    grid = _outcome_grid(rows, totals)
    if not n_bad:
        none = (f"All {words.whole(n_all)} rows were kept; the quarantine is empty.",)
        return Section("data-quality", "Data quality", intro, none, grids=(grid,))
    ordered = sorted(reasons.items(), key=lambda reason: (-reason[1], reason[0]))
    names = [words.plain(name) for name, _ in ordered]
    texts = [f"{words.whole(n)} · {words.percent(n / n_all, 2)}" for _, n in ordered]
    chart = Chart(
        "chart-quarantine",
        "Rows in quarantine, by reason",
        f"{words.whole(n_all)} rows received, {words.whole(n_all - n_bad)} kept, {words.whole(n_bad)} quarantined. "
        + "; ".join(f"{name}: {text}" for name, text in zip(names, texts, strict=True)),
        f"Each bar counts the rows whose first broken rule it names; the share is of all {words.whole(n_all)} rows "
        "received. A reason that grows from one report to the next is a change in the source.",
        figures.bars_across([words.label(name) for name in names], [n for _, n in ordered], texts, ""),
        figures.bar_height(len(names)) - 10,
        grid,
    )
    return Section("data-quality", "Data quality", intro, charts=(chart,))


def latest_runs(runs: Records) -> list[Record]:
    """The last finished run of each job, the last of all where none finished, in order of their start."""
    latest: dict[str, Record] = {}
    for row in sorted(runs, key=lambda r: (r.text("status") == "done", r.instant("started_at"), r.text("run_id"))):
        latest[row.text("job")] = row
    return sorted(latest.values(), key=lambda r: (r.instant("started_at"), r.text("job")))


def _run_grid(rows: list[Record]) -> Grid:
    heads = ("Job", "Status", "Started, UTC", "Time", "Rows in", "Rows out", "Quarantined")
    body = tuple(
        (
            Cell(row.text("job")),
            Cell(row.text("status"), kind="" if row.text("status") == "done" else "bad"),
            Cell(f"{words.day(row.day('started_at'))}, {row.instant('started_at'):%H:%M}"),
            Cell(words.seconds(row.number("seconds"))),
            Cell(words.whole(row.maybe_number("rows_in"))),
            Cell(words.whole(row.number("rows_out"))),
            Cell(words.whole(row.number("rows_quarantined"))),
        )
        for row in rows
    )
    return Grid("Last run of each job for this day", heads, body, n_labels=3)


def run_times(tables: ReportTables) -> Section:
    """How long each job took, and what failed. The report's own run ends after the page is made."""
    intro = "The last run of each job for this day."
    if not tables.runs:
        return Section("runs", "Run times", intro, ("The run ledger holds no run for this day.",))
    rows = latest_runs(tables.runs)
    total = sum(row.number("seconds") for row in rows)
    failed = [row for row in rows if row.text("status") != "done"]
    missing = tuple(f"{row.text('job')} {row.text('status')}: {row.text('message') or 'no message'}" for row in failed)
    intro += f" Together {words.seconds(total)}."
    texts = [words.seconds(row.number("seconds")) for row in rows]
    names = [row.text("job") for row in rows]
    slowest = max(rows, key=lambda row: row.number("seconds"))
    chart = Chart(
        "chart-runs",
        "Time of each job",
        f"{len(rows)} jobs, together {words.seconds(total)}; the longest is {slowest.text('job')} with "
        f"{words.seconds(slowest.number('seconds'))}.",
        "Bars are wall time, from the top in the order in which the jobs began. The longest bar is where "
        "a faster run would begin.",
        figures.bars_across([words.label(name) for name in names], [row.number("seconds") for row in rows], texts, ""),
        figures.bar_height(len(rows)) - 10,
        _run_grid(rows),
    )
    return Section("runs", "Run times", intro, missing, charts=(chart,))
