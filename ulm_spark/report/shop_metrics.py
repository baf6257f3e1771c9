"""Who comes back, who goes on to buy, and what the figures of the last days are: with what each of them means."""

from collections.abc import Sequence
from datetime import date, timedelta

from ulm_spark.contracts.metrics import SHOP_METRIC_CATALOGUE
from ulm_spark.report import figures, words
from ulm_spark.report.blocks import Cell, Chart, Grid, Section, text_row
from ulm_spark.report.records import Record, Records, ReportTables

STEPS = (("View", "n_view_sessions"), ("Cart", "n_cart_sessions"), ("Purchase", "n_purchase_sessions"))
RETURN_INTRO = (
    "Of the users whose day n since their first event is over, the share that came back. Day 0 is the local day of the "
    "first event. Any event counts, not purchases alone."
)


def _pooled(rows: Records, kind: str) -> dict[tuple[int, int], tuple[float, float]]:
    """(first_day, last_day or 0) to retained and users, over all cohorts."""
    found: dict[tuple[int, int], tuple[float, float]] = {}
    for row in rows:
        if row.text("kind") == kind:
            period = (row.count("first_day"), row.count("last_day"))
            back, users = found.get(period, (0.0, 0.0))
            found[period] = (back + row.number("n_retained"), users + row.number("n_users"))
    return dict(sorted(found.items()))


def _curves(rows: Records) -> Chart:
    kinds = {
        "On day n": {first: cell for (first, _), cell in _pooled(rows, "classic").items()},
        "On day n or later": {first: cell for (first, _), cell in _pooled(rows, "rolling").items()},
    }
    days = sorted({day for cells in kinds.values() for day in cells})
    shares = {name: [words.share_of(*cells.get(day, (0.0, 0.0))) for day in days] for name, cells in kinds.items()}
    users = [max(cells.get(day, (0.0, 0.0))[1] for cells in kinds.values()) for day in days]
    last = f"day {days[-1]}"
    return Chart(
        "chart-user-retention",
        "Users who come back",
        "; ".join(f"{name.lower()}, at {last}: {words.percent(values[-1])}" for name, values in shares.items()),
        "The lower line is classic retention: active on exactly that day. The upper one is rolling retention: active "
        "on that day or any later one known by now; its latest points can still rise. Each point is of the users "
        "whose day is over, so points further right are of fewer and older users.",
        figures.share_curves(days, shares, "Days since the first event"),
        300,
        Grid(
            "Share that came back, all weekly cohorts",
            ("Day", "Users", *shares),
            tuple(
                text_row(f"{day}", words.whole(n), *(words.percent(values[place]) for values in shares.values()))
                for place, (day, n) in enumerate(zip(days, users, strict=True))
            ),
        ),
    )


def _brackets(rows: Records) -> Chart:
    cells = _pooled(rows, "bracket")
    names = [f"Days {first}-{last}" for first, last in cells]
    shares = [back / users if users else 0.0 for back, users in cells.values()]
    texts = [words.percent(share) for share in shares]
    return Chart(
        "chart-user-brackets",
        "Users who come back within a bracket of days",
        "; ".join(f"{name.lower()}: {text}" for name, text in zip(names, texts, strict=True)),
        "Each bar is the share of users who were active on any day of the bracket, of those for whom the whole bracket "
        "is over.",
        figures.bars_across(names, shares, texts, ""),
        figures.bar_height(len(names)) - 10,
        Grid(
            "Share that came back in the bracket, all weekly cohorts",
            ("Bracket", "Users", "Came back", "Share"),
            tuple(
                text_row(name, words.whole(users), words.whole(back), text)
                for name, (back, users), text in zip(names, cells.values(), texts, strict=True)
            ),
        ),
    )


def user_retention(tables: ReportTables) -> Section:
    """Classic, rolling and bracket retention over all weekly cohorts."""
    rows = tables.user_retention
    kinds = {row.text("kind") for row in rows}
    charts = (
        *((_curves(rows),) if kinds & {"classic", "rolling"} else ()),
        *((_brackets(rows),) if "bracket" in kinds else ()),
    )
    missing = () if charts else ("No user's first day after their first event is over yet.",)
    grids = (_newcomers(tables.daily_customers),) if tables.daily_customers else ()
    return Section("user-retention", "Who comes back", RETURN_INTRO, missing, charts=charts, grids=grids)


def _newcomers(rows: Records) -> Grid:
    """New users and buyers by month, which add up over days as active ones do not."""
    months: dict[str, list[Record]] = {}
    for row in sorted(rows, key=lambda row: row.day("day_on")):
        months.setdefault(words.month(row.day("day_on")), []).append(row)
    return Grid(
        "Users and buyers that each month brought, the last 24; the first and the last may be part of a month",
        ("Month", "New users", "New buyers"),
        tuple(
            text_row(month, *(words.whole(sum(row.number(n) for row in days)) for n in ("n_new_users", "n_new_buyers")))
            for month, days in list(months.items())[-24:]
        ),
    )


def _trailing_share(days: Sequence[Record], part: str, n_days: int = 7) -> list[float | None]:
    """Sessions that reached a step over all sessions, of the n days that end with each day."""
    shares = []
    for end in range(1, len(days) + 1):
        window = days[max(0, end - n_days) : end]
        shares.append(
            words.share_of(sum(row.number(part) for row in window), sum(row.number("n_sessions") for row in window))
        )
    return shares


def _conversion_grid(days: Sequence[Record]) -> Grid:
    """The last days one by one."""
    rates = ("view_rate", "cart_rate", "purchase_rate", "conversion_rate")
    return Grid(
        "Conversion by day, the last 31 days",
        ("Day", "Sessions", "Visit to view", "View to cart", "Cart to purchase", "Visit to purchase"),
        tuple(
            text_row(
                words.day(row.day("day_on")),
                words.whole(row.number("n_sessions")),
                *(words.percent(row.maybe_number(rate)) for rate in rates),
            )
            for row in days[-31:]
        ),
    )


def conversion(tables: ReportTables, n_days: int) -> Section:
    """Shares of sessions that reach each step by local day, the last n_days."""
    intro = "How far the visits of each local day got; only sessions that were over by the end of the report's day."
    since = tables.as_of - timedelta(days=n_days - 1)
    days = sorted((r for r in tables.daily_conversion if r.day("day_on") >= since), key=lambda r: r.day("day_on"))
    if not any(row.number("n_sessions") for row in days):
        return Section("conversion", "Conversion by day", intro, ("No closed session up to this day.",))
    shares = {name: _trailing_share(days, part) for name, part in STEPS}
    on: list[date] = [row.day("day_on") for row in days]
    chart = Chart(
        "chart-conversion",
        "Share of visits that reach each step, %",
        "Of the last seven days' visits: "
        + "; ".join(f"{name.lower()} {words.percent(values[-1])}" for name, values in shares.items()),
        "Each line is the share of the visits of the seven days that end with a day which reached the step or a later "
        "one. Lines that fall together tell of other visitors; one that falls alone tells of the step before it.",
        figures.day_shares(on, shares),
        300,
        _conversion_grid(days),
    )
    return Section("conversion", "Conversion by day", intro, charts=(chart,))


def _value(row: Record | None) -> str:
    if row is None:
        return words.NOTHING
    value, unit = row.maybe_number("value"), row.text("unit")
    if value is None:
        return words.NOTHING
    if unit == "share":
        return words.percent(value)
    if unit in ("users", "orders"):
        return words.whole(value)
    if unit == "points":
        return words.decimal(value, 0)
    return f"{words.decimal(value, 2)} {unit}".strip()


def _metric_grid(rows: Records, windows: Sequence[int]) -> Grid:
    found = {(row.text("metric"), row.count("window_days")): row for row in rows}
    return Grid(
        "The shop's figures and what they mean; a dash where there is nothing to divide by, or no source",
        ("Figure", "What it is", *(f"{n} days" for n in windows)),
        tuple(
            (
                Cell(metric.title),
                Cell(metric.formula),
                *(Cell(_value(found.get((metric.name, n)))) for n in windows),
            )
            for metric in SHOP_METRIC_CATALOGUE
        ),
        n_labels=2,
    )


def _channel_grid(rows: Records, n_days: int) -> Grid:
    of_window = [row for row in rows if row.count("window_days") == n_days]
    of_window.sort(key=lambda row: (-row.number("n_new_buyers"), row.text("channel")))

    def money(value: float | None, row: Record) -> str:
        return words.NOTHING if value is None else f"{words.decimal(value, 2)} {row.text('currency')}"

    return Grid(
        f"Cost of a new buyer by the channel that came first, {n_days} days",
        ("Channel", "New buyers", "Spend", "Cost of one (CAC)"),
        tuple(
            text_row(
                row.text("channel"),
                words.whole(row.number("n_new_buyers")),
                money(row.maybe_number("spend"), row),
                money(row.maybe_number("cac"), row),
            )
            for row in of_window
        ),
    )


def shop_figures(tables: ReportTables) -> Section:
    """Every metric of the catalogue with its definition, and the cost of acquisition by channel."""
    intro = f"Windows of local days that end with {words.day(tables.as_of)}."
    rows = tables.shop_metrics
    if not rows:
        return Section("figures", "Figures and definitions", intro, ("No figures were made for this day.",))
    windows = sorted({row.count("window_days") for row in rows})
    channels = [_channel_grid(tables.channel_acquisition, n) for n in windows]
    spent = any(row.maybe_number("spend") is not None for row in tables.channel_acquisition)
    missing = () if spent else ("No marketing spend is known for these days; marketing.spend_path names a file of it.",)
    grids = (_metric_grid(rows, windows), *(grid for grid in channels if grid.rows))
    return Section("figures", "Figures and definitions", intro, missing, grids=grids)
