"""What stands beside the segments? The grid of recency and frequency, and what each model was worth."""

import re

from ulm_spark.report import figures, words
from ulm_spark.report.blocks import Cell, Chart, Grid
from ulm_spark.report.records import Record, Records, ReportTables

MODEL_NAMES = {"kmeans": "k-means", "bisecting_kmeans": "Bisecting k-means", "gaussian_mixture": "Gaussian mixture"}
SCORES = (1, 2, 3, 4, 5)


def rfm_charts(rows: Records, money: str) -> tuple[Chart, ...]:
    """Customers by recency and frequency; none without a customer."""
    n_all = sum(row.number("n_users") for row in rows)
    if not n_all:
        return ()
    users = {(r, f): sum(row.number("n_users") for row in _cell(rows, r, f)) for r in SCORES for f in SCORES}
    recencies = tuple(reversed(SCORES))
    texts = [[_cell_text(rows, r, f, users[r, f]) for f in SCORES] for r in recencies]
    groups = _groups(rows)
    largest = [f"{name}: {words.percent(words.share_of(n, n_all), 0)}" for name, n, _ in groups[:5]]
    chart = Chart(
        "chart-rfm",
        "Customers by how recently and how often they bought",
        "; ".join(largest),
        "Customers are cut into fifths twice: by the days since their last purchase (up is more recent) and by the "
        "days on which they bought (right is more often). Equal values stay in one fifth. Top right are the "
        "customers to keep, bottom right those worth winning back; each name is a cell's.",
        figures.heat(
            [str(f) for f in SCORES],
            [f"Recency {r}" for r in recencies],
            [[users[r, f] or None for f in SCORES] for r in recencies],
            texts,
            "Frequency score",
        ),
        figures.bar_height(2 * len(SCORES)),
        _group_grid(groups, n_all, money),
    )
    return (chart,)


def model_grids(tables: ReportTables) -> tuple[Grid, ...]:
    """Silhouette and stability of every model tried for the day's segments; none where only one group was found."""
    metrics = next((r.measures("metrics") for r in tables.models if r.text("model") == "segment_users"), {})
    tried = [re.fullmatch(r"silhouette_(.+)_k(\d+)", name) for name in metrics]
    keys = sorted((found[1], int(found[2])) for found in tried if found)
    if not keys:
        return ()
    keys.sort(key=lambda key: (-metrics[f"silhouette_{key[0]}_k{key[1]}"], key[1]))
    body = []
    for name, k in keys:
        stability = metrics.get(f"stability_{name}_k{k}")
        is_chosen = f"is_chosen_{name}_k{k}" in metrics
        body.append(
            (
                Cell(MODEL_NAMES.get(name, words.plain(name))),
                Cell("chosen" if is_chosen else "", kind="good" if is_chosen else ""),
                Cell(str(k)),
                Cell(words.decimal(metrics[f"silhouette_{name}_k{k}"])),
                Cell(words.decimal(stability)),
            )
        )
    caption = (
        "Models tried. Silhouette: how much nearer users are to their own segment than to the next, 1 at most. "
        "Stability: how alike the segments of resampled users are, 1 the same, 0 chance; measured for the best "
        "silhouettes"
    )
    return (Grid(caption, ("Model", "", "Segments", "Silhouette", "Stability"), tuple(body), n_labels=2),)


def _cell(rows: Records, recency: int, frequency: int) -> list[Record]:
    return [r for r in rows if (r.count("recency_score"), r.count("frequency_score")) == (recency, frequency)]


def _cell_text(rows: Records, recency: int, frequency: int, n_users: float) -> str:
    if not n_users:
        return ""
    return f"{words.label(_cell(rows, recency, frequency)[0].text('rfm_segment'))}<br>{words.brief(n_users)}"


def _groups(rows: Records) -> list[tuple[str, float, float]]:
    """Name of a cell, its customers and revenue; the most customers first, ties by name."""
    names = sorted({row.text("rfm_segment") for row in rows})
    own = {name: [row for row in rows if row.text("rfm_segment") == name] for name in names}
    sums = [(name, sum(r.number("n_users") for r in own[name]), sum(_money(r) for r in own[name])) for name in names]
    return sorted(((name, n, cents / 100) for name, n, cents in sums), key=lambda group: (-group[1], group[0]))


def _money(row: Record) -> int:
    """In hundredths, which add up the same in any order."""
    return round(100 * row.number("revenue"))


def _group_grid(groups: list[tuple[str, float, float]], n_all: float, money: str) -> Grid:
    revenue = sum(round(100 * amount) for _, _, amount in groups) / 100
    body = tuple(
        (
            Cell(name),
            Cell(words.whole(n)),
            Cell(words.percent(words.share_of(n, n_all))),
            Cell(words.whole(amount)),
            Cell(words.percent(words.share_of(amount, revenue))),
        )
        for name, n, amount in groups
    )
    heads = ("Name", "Customers", "Share", f"Revenue, {money}", "Share of it")
    return Grid("Customers and their net revenue by name of cell", heads, body)
