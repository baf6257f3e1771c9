"""How does the shop do? Headline figures, the funnel, and sessions and revenue by day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from ulm_spark.report import figures, words
from ulm_spark.report.blocks import Chart, Grid, Section, Tile, text_row
from ulm_spark.report.records import Records, ReportTables

PERIOD_DAYS = 30


@dataclass(frozen=True)
class Day:
    """One local day; a day that the table lacks had no activity."""

    on: date
    n_sessions: float = 0.0
    n_orders: float = 0.0
    gross: float = 0.0
    net: float = 0.0


def fill_days(rows: Records, as_of: date) -> tuple[Day, ...]:
    """Every day from the first row's to as_of, in order."""
    known = {
        row.day("day_on"): Day(
            row.day("day_on"),
            row.number("n_sessions"),
            row.number("n_orders"),
            row.number("gross_revenue"),
            row.number("net_revenue"),
        )
        for row in rows
    }
    if not known:
        return ()
    first = min(known)
    spans = ((as_of - first).days + 1) if as_of >= first else 0
    return tuple(known.get(on, Day(on)) for on in (first + timedelta(days=n) for n in range(spans)))


def currency_of(rows: Records) -> str:
    """The currency of the amounts; several are joined, for then sums mix them."""
    return "/".join(sorted({row.text("currency") for row in rows} - {""}))


def _trailing_means(values: Sequence[float], n_days: int = 7) -> list[float]:
    return [round(sum(values[max(0, n - n_days + 1) : n + 1]) / min(n + 1, n_days), 4) for n in range(len(values))]


def _change(now: float, before: float | None) -> str:
    share = None if not before else now / before - 1
    if share is None:
        return f"last {PERIOD_DAYS} days"
    sign = "+" if share >= 0 else ""
    return f"{sign}{words.percent(share, 1)} on {PERIOD_DAYS} days before"


def _customers(retention: Records) -> int:
    return sum(row.count("n_users") for row in retention if row.count("months_since") == 0)


def headline(tables: ReportTables) -> Section:
    """The few numbers to know first."""
    days = fill_days(tables.daily_activity, tables.as_of)
    now, before = days[-PERIOD_DAYS:], days[-2 * PERIOD_DAYS : -PERIOD_DAYS]
    has_before = len(before) == PERIOD_DAYS
    money = currency_of(tables.daily_activity)
    tiles = []
    if days:
        net, orders = sum(day.net for day in now), sum(day.n_orders for day in now)
        sessions = sum(day.n_sessions for day in now)
        old = [sum(values) for values in zip(*((d.net, d.n_orders, d.n_sessions) for d in before), strict=True)]
        net_before, orders_before, sessions_before = old if has_before else (None, None, None)
        value = words.share_of(sum(day.gross for day in now), orders)
        tiles += [
            Tile("Net revenue", f"{words.brief(net)} {money}".strip(), _change(net, net_before)),
            Tile("Orders", words.brief(orders), _change(orders, orders_before)),
            Tile("Mean order", f"{words.decimal(value, 2)} {money}".strip(), "gross, per order"),
            Tile("Sessions", words.brief(sessions), _change(sessions, sessions_before)),
        ]
    steps = {row.count("step"): row.number("n_sessions") for row in tables.funnel}
    if steps.get(1):
        tiles.append(Tile("Sessions that buy", words.percent(steps.get(4, 0.0) / steps[1]), "of closed sessions"))
    if tables.retention:
        tiles.append(Tile("Customers", words.brief(_customers(tables.retention)), "with an account"))
    n_rows = sum(row.number("n_rows") for row in tables.data_quality)
    kept = sum(row.number("n_rows") for row in tables.data_quality if row.text("outcome") == "kept")
    if n_rows:
        tiles.append(Tile("Rows kept", words.percent(kept / n_rows, 2), f"of {words.brief(n_rows)} received"))
    missing = () if tiles else ("The lake holds no activity up to this day. Run the jobs before the report.",)
    if "/" in money:
        missing = (*missing, f"Amounts are in several currencies ({money}); sums over them mix currencies.")
    return Section(
        "headline", "At a glance", f"The {PERIOD_DAYS} days to {words.day(tables.as_of)}.", missing, tuple(tiles)
    )


def funnel(tables: ReportTables) -> Section:
    """How far sessions get, from visit to purchase."""
    intro = f"How far the closed sessions of the {PERIOD_DAYS} days to {words.day(tables.as_of)} got."
    rows = sorted(tables.funnel, key=lambda row: row.count("step"))
    if not rows or not rows[0].count("n_sessions"):
        return Section("funnel", "Funnel", intro, ("No closed session in the last 30 days, so there is no funnel.",))
    names = [row.text("step_name") for row in rows]
    counts = [row.number("n_sessions") for row in rows]
    shares = [count / counts[0] for count in counts]
    texts = [f"{words.brief(count)} · {words.percent(share)}" for count, share in zip(counts, shares, strict=True)]
    kept = [None, *(words.share_of(after, before) for before, after in pairwise(counts))]
    numbers = Grid(
        "Sessions by the furthest step",
        ("Step", "Sessions", "Users", "Of visits", "Of the step before"),
        tuple(
            text_row(
                row.text("step_name"),
                words.whole(row.number("n_sessions")),
                words.whole(row.number("n_users")),
                words.percent(share),
                words.percent(of_before),
            )
            for row, share, of_before in zip(rows, shares, kept, strict=True)
        ),
    )
    chart = Chart(
        "chart-funnel",
        "Sessions that reached each step",
        "; ".join(f"{name}: {text}" for name, text in zip(names, texts, strict=True)),
        "Each bar counts the sessions that reached the step or a later one; the share is of all visits. "
        "A large drop from one bar to the next is where sessions are lost.",
        figures.bars_across([words.label(name) for name in names], counts, texts, ""),
        figures.bar_height(len(rows)) - 10,
        numbers,
    )
    return Section("funnel", "Funnel", intro, charts=(chart,))


def _totals(days: Sequence[Day], money: str) -> Grid:
    """Totals by month, or by day while there are at most 31."""
    by_day = len(days) <= 31
    periods: dict[str, list[Day]] = {}
    for day in days:
        periods.setdefault(words.day(day.on) if by_day else words.month(day.on), []).append(day)
    return Grid(
        "Totals by day" if by_day else "Totals by month; the first and the last may be part of a month",
        ("Day" if by_day else "Month", "Sessions", "Orders", f"Gross {money}".strip(), f"Net {money}".strip()),
        tuple(
            text_row(
                name,
                *(
                    words.whole(sum(values))
                    for values in zip(*((d.n_sessions, d.n_orders, d.gross, d.net) for d in group), strict=True)
                ),
            )
            for name, group in periods.items()
        ),
    )


def _daily_chart(
    chart_id: str, title: str, days: Sequence[Day], values: list[float], numbers: Grid, unit: str
) -> Chart:
    means = _trailing_means(values)
    peak = max(range(len(values)), key=lambda n: (values[n], -n))
    return Chart(
        chart_id,
        title,
        f"{title} from {words.day(days[0].on)} to {words.day(days[-1].on)}: most on {words.day(days[peak].on)} with "
        f"{words.whole(values[peak])}; mean of the last seven days {words.whole(means[-1])}.",
        "Bars are single days; the line is the mean of the seven days that end with each day and shows the "
        "trend without the week's rhythm.",
        figures.days_line([day.on for day in days], values, means, unit),
        290,
        numbers,
    )


def daily(tables: ReportTables, n_days: int) -> Section:
    """Sessions and net revenue by local day, the last n_days."""
    intro = "Sessions begun and revenue net of returns, by local day."
    days = fill_days(tables.daily_activity, tables.as_of)[-n_days:]
    if not days:
        return Section("daily", "Day by day", intro, ("No event up to this day, so there is nothing to count.",))
    money = currency_of(tables.daily_activity)
    numbers = _totals(days, money)
    return Section(
        "daily",
        "Day by day",
        intro,
        charts=(
            _daily_chart("chart-sessions", "Sessions per day", days, [d.n_sessions for d in days], numbers, ""),
            _daily_chart("chart-revenue", "Net revenue per day", days, [round(d.net, 2) for d in days], numbers, money),
        ),
    )
