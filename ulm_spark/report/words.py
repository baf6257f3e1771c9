"""How are numbers, days and names written on the page?"""

import textwrap
from datetime import date
from html import escape

MINUS = "\u2212"
NOTHING = "\u2013"


def _signed(text: str) -> str:
    """With a true minus sign, and none before a number that is rounded to zero."""
    if text.startswith("-") and not text.strip("-0.,%"):
        text = text.removeprefix("-")
    return text.replace("-", MINUS)


def whole(value: float | None) -> str:
    """12,346; a dash for None."""
    return NOTHING if value is None else _signed(f"{value:,.0f}")


def brief(value: float | None) -> str:
    """A number at a glance: 1.23M, 45.6k, 789."""
    if value is None:
        return NOTHING
    for limit, suffix in ((1e9, "B"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return _signed(f"{value / min(limit, 1e3 if suffix == 'k' else limit):.3g}{suffix}")
    return whole(value)


def percent(share: float | None, digits: int = 1) -> str:
    """12.3%; <0.1% for what would round to zero and is not; a dash for None."""
    if share is None:
        return NOTHING
    least = 10.0 ** -(digits + 2)
    return f"<{100 * least:.{digits}f}%" if 0 < share < least / 2 else _signed(f"{100 * share:.{digits}f}%")


def decimal(value: float | None, digits: int = 3) -> str:
    """A fixed number of digits after the point; a dash for None."""
    return NOTHING if value is None else _signed(f"{value:,.{digits}f}")


def measured(value: float | None) -> str:
    """A mean or metric of unknown size with about three figures: 0.0531, 4.26, 1,204."""
    if value is None:
        return NOTHING
    if abs(value) >= 1000 or value == 0:
        return whole(value)
    return _signed(f"{value:.3g}")


def between(low: float | None, high: float | None, digits: int = 3) -> str:
    """An interval, '0.041 to 0.062'; empty where a bound is unknown."""
    if low is None or high is None:
        return ""
    return f"{decimal(low, digits)} to {decimal(high, digits)}"


def day(value: date) -> str:
    """9 Dec 2011."""
    return f"{value.day} {value:%b %Y}"


def month(value: date) -> str:
    """Dec 2011."""
    return f"{value:%b %Y}"


def seconds(value: float) -> str:
    """0.4 s, 12 s, 3 min 05 s, 2 h 04 min."""
    if value < 9.95:
        return f"{value:.1f} s"
    whole_s = round(value)
    if whole_s < 60:
        return f"{whole_s} s"
    if whole_s < 3600:
        return f"{whole_s // 60} min {whole_s % 60:02d} s"
    return f"{whole_s // 3600} h {whole_s % 3600 // 60:02d} min"


def plain(name: str) -> str:
    """A column or reason name in words: n_orders_30d as 'orders 30d', bad_event_at as 'bad event at'."""
    return name.removeprefix("n_").replace("_", " ")


def label(text: str, line: int = 24) -> str:
    """Text for a chart in at most two lines: Plotly reads tags, so that a table's text must not hold any."""
    lines = textwrap.wrap(text, line, max_lines=2, placeholder=" …") or [""]
    return "<br>".join(escape(part, quote=False) for part in lines)


def share_of(part: float, whole_part: float) -> float | None:
    """part / whole_part; None where there is nothing to divide by."""
    return part / whole_part if whole_part else None
