"""Who stays, and who is alike? Retention by cohort and the segments."""

from datetime import date

from ulm_spark.contracts.features import USER_FEATURES
from ulm_spark.report import figures, words
from ulm_spark.report.blocks import Card, Cell, Chart, Grid, Section, text_row
from ulm_spark.report.records import Record, Records, ReportTables
from ulm_spark.report.segment_grids import model_grids, rfm_charts

N_CORE_FEATURES = 5
UNITS = {column.name: column.unit for column in USER_FEATURES.columns}
RETENTION_INTRO = (
    "Of the customers who first bought in a month, the share that bought again in each month after it. "
    "Guests, who have no account, are not in it."
)


def _average(rows: list[Record]) -> float | None:
    """Retained over users of the complete cells, so that large cohorts weigh more."""
    complete = [row for row in rows if row.flag("is_complete")]
    return words.share_of(
        sum(row.number("n_retained") for row in complete), sum(row.number("n_users") for row in complete)
    )


def _retention_grid(cells: dict[tuple[date, int], Record], cohorts: list[date], months: list[int], top: float) -> Grid:
    rows = []
    for cohort in cohorts:
        size = max(row.number("n_users") for (on, _), row in cells.items() if on == cohort)
        row = [Cell(words.month(cohort)), Cell(words.whole(size))]
        for month in months:
            cell = cells.get((cohort, month))
            share = None if cell is None else words.share_of(cell.number("n_retained"), cell.number("n_users"))
            if cell is None or share is None:
                row.append(Cell(""))
            elif cell.flag("is_complete"):
                row.append(Cell(words.percent(share, 0), heat=min(share / top, 1.0)))
            else:
                row.append(Cell(f"{words.percent(share, 0)}*", kind="partial"))
        rows.append(tuple(row))
    means = [_average([row for (_, n), row in cells.items() if n == month]) for month in months]
    rows.append((Cell("All", kind="total"), Cell(""), *(Cell(words.percent(m, 0), kind="total") for m in means)))
    return Grid(
        "Share that bought, by months since the first purchase. * the month is not over. All: complete months only",
        ("First bought", "Customers", *(f"+{month}" for month in months)),
        tuple(rows),
    )


def retention(tables: ReportTables, n_cohorts: int) -> Section:
    """The latest n_cohorts monthly cohorts; colours leave out months that are not over."""
    cohorts = sorted({row.day("cohort_on") for row in tables.retention})[-n_cohorts:]
    cells = {
        (row.day("cohort_on"), row.count("months_since")): row
        for row in tables.retention
        if row.count("months_since") > 0 and row.day("cohort_on") in cohorts
    }
    months = sorted({month for _, month in cells})
    cohorts = [cohort for cohort in cohorts if any(on == cohort for on, _ in cells)]
    shares = {
        key: row.number("n_retained") / row.number("n_users")
        for key, row in cells.items()
        if row.flag("is_complete") and row.number("n_users")
    }
    if not shares:
        why = "No cohort has a complete month after its own yet; retention shows from the second month on."
        return Section("retention", "Retention", RETENTION_INTRO, (why,))
    top = max(shares.values()) or 1.0
    drawn = [cohort for cohort in cohorts if any(on == cohort for on, _ in shares)]
    over = [month for month in months if any(n == month for _, n in shares)]
    table = [[shares.get((cohort, month)) for month in over] for cohort in drawn]
    first = _average([row for (_, month), row in cells.items() if month == 1])
    chart = Chart(
        "chart-retention",
        "Share of each cohort that bought again, %",
        f"{len(drawn)} monthly cohorts. In the first month after their own, {words.percent(first)} of "
        f"customers bought again; the highest cell is {words.percent(top)}.",
        "One row is the customers who first bought in that month; read to the right to see how many came back "
        "one, two, three months later. Compare a column from top to bottom: darker below means that newer "
        "customers stay better. Months that are not over are blank.",
        figures.heat(
            [f"+{month}" for month in over],
            [words.month(cohort) for cohort in drawn],
            table,
            [[f"{100 * share:.0f}" if share is not None else "" for share in row] for row in table],
            "Months since the first purchase",
        ),
        figures.bar_height(len(drawn)) + 20,
        _retention_grid(cells, cohorts, months, top),
    )
    return Section("retention", "Retention", RETENTION_INTRO, charts=(chart,))


def _core(rows: list[Record]) -> list[Record]:
    """The features in which the segment differs most, ties by name."""
    return sorted(rows, key=lambda row: (-abs(row.number("effect_size")), row.text("feature")))[:N_CORE_FEATURES]


def _segment_card(rows: list[Record], n_all: float, risk: Record | None, money: str) -> Card:
    users = rows[0].number("n_users")
    note = f"{words.whole(users)} users, {words.percent(words.share_of(users, n_all))} of all"
    if risk is not None and risk.maybe_number("mean_p_churn") is not None:
        churn = words.percent(risk.maybe_number("mean_p_churn"), 0)
        note += f". Forecast churn {churn} of the {words.whole(risk.number('n_scored'))} active buyers"
    body = tuple(
        (
            Cell(words.plain(row.text("feature"))),
            Cell(words.measured(row.maybe_number("segment_mean"))),
            Cell(words.measured(row.maybe_number("overall_mean"))),
            Cell(UNITS.get(row.text("feature"), "").replace("currency", money), kind="unit"),
        )
        for row in _core(rows)
    )
    title = f"{rows[0].count('segment')} · {rows[0].text('label')}"
    return Card(title, note, Grid("Core features", ("Mean of", "Segment", "All", "Unit"), body))


def _feature_chart(segments: dict[int, list[Record]], names: dict[int, str]) -> Chart:
    effects = {(s, row.text("feature")): row.number("effect_size") for s, rows in segments.items() for row in rows}
    features = sorted({feature for _, feature in effects})
    features.sort(key=lambda f: -max(abs(effects.get((s, f), 0.0)) for s in segments))
    features = features[:16]
    table = [[effects.get((segment, feature)) for segment in segments] for feature in features]
    texts = [[words.decimal(value, 1) if value is not None else "" for value in row] for row in table]
    limit = max(abs(value) for row in table for value in row if value is not None) or 1.0
    return Chart(
        "chart-segment-features",
        "What sets the segments apart",
        "; ".join(
            f"segment {segment} ({names[segment]}) differs most in "
            + ", ".join(words.plain(row.text("feature")) for row in _core(rows)[:3])
            for segment, rows in segments.items()
        ),
        "Each number says how far the segment's mean lies from the mean of all users, in standard deviations: "
        "green-blue is above, brown below, pale no difference. Columns are the segments by their number.",
        figures.heat(
            [f"{segment}" for segment in segments],
            [words.label(words.plain(feature)) for feature in features],
            table,
            texts,
            "Segment",
            limit=max(limit, 1.0),
        ),
        figures.bar_height(len(features)) + 20,
        Grid(
            "Difference from all users, in standard deviations",
            ("Feature", *(f"{segment}" for segment in segments)),
            tuple(text_row(words.plain(f), *row) for f, row in zip(features, texts, strict=True)),
        ),
    )


def _size_chart(segments: dict[int, list[Record]], names: dict[int, str], n_all: float) -> Chart:
    users = [rows[0].number("n_users") for rows in segments.values()]
    texts = [f"{words.brief(count)} · {words.percent(words.share_of(count, n_all), 0)}" for count in users]
    return Chart(
        "chart-segments",
        "Users in each segment",
        "; ".join(f"{name}: {text}" for name, text in zip(names.values(), texts, strict=True)),
        "Each bar is one segment, the largest first; the share is of all users with features.",
        figures.bars_across([words.label(f"{s} · {names[s]}") for s in segments], users, texts, ""),
        figures.bar_height(len(users)) - 10,
        Grid(
            "Users by segment",
            ("Segment", "Name", "Users", "Share"),
            tuple(
                text_row(f"{s}", names[s], words.whole(n), words.percent(words.share_of(n, n_all)))
                for s, n in zip(segments, users, strict=True)
            ),
            n_labels=2,
        ),
    )


def _by_segment(rows: Records) -> dict[int, list[Record]]:
    found: dict[int, list[Record]] = {}
    for row in sorted(rows, key=lambda row: (row.count("segment"), row.text("feature"))):
        found.setdefault(row.count("segment"), []).append(row)
    return found


def segments(tables: ReportTables) -> Section:
    """Every segment with the features that make it, and its forecast churn."""
    intro = "Users alike in what they did. A segment keeps its number from day to day; new ones follow by size."
    found = _by_segment(tables.segment_profiles)
    if not found:
        return Section("segments", "Segments", intro, ("No segments were made for this day.",))
    n_all = sum(rows[0].number("n_users") for rows in found.values())
    risk = {row.count("segment"): row for row in tables.segment_risk}
    money = "/".join(sorted({row.text("currency") for row in tables.daily_activity} - {""})) or "currency"
    names = {segment: rows[0].text("label") for segment, rows in found.items()}
    cards = tuple(_segment_card(rows, n_all, risk.get(segment), money) for segment, rows in found.items())
    charts = (_size_chart(found, names, n_all), _feature_chart(found, names), *rfm_charts(tables.rfm_grid, money))
    return Section("segments", "Segments", intro, charts=charts, cards=cards, grids=model_grids(tables))
