"""Random rows of silver.user_days and silver.product_days, and the features made of them by plain loops."""

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from statistics import mean, stdev

from ulm_spark.contracts import features as rules
from ulm_spark.contracts.features import CATALOGUE, Feature
from ulm_spark.contracts.silver import MONEY
from ulm_spark.contracts.user_days import NAMED_COUNTS, USER_DAYS

Row = dict[str, object]
AS_OF = date(2024, 3, 31)
_WORDS = {
    "hours": [f"{hour:02d}" for hour in range(24)], "categories": ["a", "b/c", "d", "Z"], "brands": ["x", "y", "é"],
    "price_bands": ["-1", "3", "4"], "devices": ["app", "mobile"], "channels": ["ads", "email", "direct"],
    "products": [f"p{n}" for n in range(400)],
}  # fmt: skip


def random_user_days(seed: int, n_users: int, n_days: int = 60) -> list[Row]:
    """Days from 500 before AS_OF to 20 after it; some users look only, some days have no event."""
    draw = random.Random(seed)
    return [
        _user_day(draw, f"u{n}", AS_OF - timedelta(days=ago))
        for n in range(n_users)
        for ago in sorted(draw.sample(range(-20, 500), draw.randint(1, n_days)))
    ]


def _user_day(draw: random.Random, user_id: str, day_on: date) -> Row:
    row: Row = {"user_id": user_id, "day_on": day_on}
    for column in USER_DAYS.columns[2:]:
        if column.type == NAMED_COUNTS:
            names = sorted(draw.sample(_WORDS[column.name], draw.randint(0, min(4, len(_WORDS[column.name])))))
            row[column.name] = [{"name": name, "n": draw.randint(1, 3)} for name in names]
        elif column.type == MONEY:
            row[column.name] = Decimal(draw.randint(-5_000_000, 50_000_000)) / 10_000
        elif column.type == "STRING":
            row[column.name] = draw.choice((None, "ads", "email"))
        else:
            row[column.name] = draw.choice((0, 0, 1, 2, 7))
    return row


def random_product_days(seed: int) -> list[Row]:
    """A few products from 90 days before AS_OF to 10 after it."""
    draw = random.Random(seed)
    return [
        {"product_id": f"p{n}", "day_on": AS_OF - timedelta(days=ago), "category": draw.choice(("a", "d", None)),
         "n_events": draw.randint(1, 9), "n_priced": draw.randint(0, 2), "price_sum": Decimal(draw.randint(1, 90))}
        for n in range(6)
        for ago in sorted(draw.sample(range(-10, 90), 40))
    ]  # fmt: skip


def features_by_loops(user_days: Sequence[Row], product_days: Sequence[Row], as_of: date) -> dict[str, Row]:
    """By user: each feature of the catalogue, computed one by one."""
    known = [row for row in user_days if _day(row) <= as_of]
    users = sorted({str(row["user_id"]) for row in known if _n(row, "n_events") > 0})
    shop = [row for row in product_days if _day(row) <= as_of]
    found: dict[str, Row] = {}
    for user in users:
        mine = sorted((row for row in known if row["user_id"] == user), key=_day)
        values = {f.name: _value(f, mine, as_of) for f in CATALOGUE if not isinstance(f.rule, rules.Market)}
        market = {f.name: _market(f.rule.which, shop, values["top_category"], as_of)
                  for f in CATALOGUE if isinstance(f.rule, rules.Market)}  # fmt: skip
        found[user] = {f.name: {**values, **market}[f.name] for f in CATALOGUE}
    return found


def _day(row: Row) -> date:
    day = row["day_on"]
    assert isinstance(day, date)
    return day


def _n(row: Row, name: str) -> Decimal:
    return Decimal(str(row[name] or 0))


def _within(rows: Sequence[Row], window: int | None, as_of: date) -> list[Row]:
    return [row for row in rows if window is None or (as_of - _day(row)).days < window]


def _total(rows: Sequence[Row], name: str) -> Decimal:
    return sum((_n(row, name) for row in rows), Decimal(0))


def _over(numerator: Decimal, denominator: Decimal) -> float | None:
    return float(numerator) / float(denominator) if denominator else None


def _value(feature: Feature, mine: list[Row], as_of: date) -> object:
    rows, rule = _within(mine, feature.window_days, as_of), feature.rule
    marked = [_day(row) for row in mine if _n(row, getattr(rule, "column", "n_events")) > 0] if isinstance(
        rule, rules.Since | rules.Gap
    ) else []  # fmt: skip
    match rule:
        case rules.Sum(column):
            return _total(rows, column) if feature.type == MONEY else int(_total(rows, column))
        case rules.Share(column, over):
            return _over(_total(rows, column), _total(rows, over))
        case rules.Days(column):
            return len([row for row in rows if _n(row, column) > 0])
        case rules.Weekend(column):
            return _over(_total([row for row in rows if _day(row).isoweekday() > 5], column), _total(rows, column))
        case rules.Since(_, which):
            return (as_of - (marked[0] if which == "first" else marked[-1])).days if marked else None
        case rules.Rate(column):
            first = next(_day(row) for row in mine if _n(row, "n_events") > 0)
            return float(_total(rows, column)) * 30 / ((as_of - first).days + 1)
        case rules.Gap(_, which):
            return _gap(which, marked, as_of)
        case rules.Names(column, which):
            return _names(which, rows, column)
        case rules.First(column):
            return next((row[column] for row in rows if row[column] is not None), None)
        case rules.Latest(column, where):
            return next((row[column] for row in reversed(rows) if _n(row, where) > 0), None)
    raise AssertionError(rule)


def _gap(which: str, days: list[date], as_of: date) -> object:
    gaps = [(later - earlier).days for earlier, later in pairwise(days)]
    n = len(gaps)
    if n < {"sd": 2, "trend": 3}.get(which, 1):
        return None
    orders = range(1, n + 1)

    def slope() -> float:
        products = sum((k - mean(orders)) * g for k, g in zip(orders, gaps, strict=True))
        return products / sum((k - mean(orders)) ** 2 for k in orders)

    formulas: dict[str, Callable[[], object]] = {
        "mean": lambda: float(mean(gaps)), "sd": lambda: stdev(gaps), "last": lambda: gaps[-1], "trend": slope,
        "overdue": lambda: (as_of - days[-1]).days / mean(gaps),
    }  # fmt: skip
    return formulas[which]()


def _names(which: str, rows: list[Row], column: str) -> object:
    counts: Counter[str] = Counter()
    for row in rows:
        for entry in row[column]:  # type: ignore[attr-defined]
            counts[entry["name"]] += entry["n"]
    if which == "n":
        return len(counts)
    if not counts:
        return None
    total, top = sum(counts.values()), min(counts, key=lambda name: (-counts[name], name.encode()))
    if which == "entropy":
        return -sum(c / total * math.log(c / total) for c in counts.values())
    return top if which == "top" else counts[top] / total


def _market(which: str, shop: list[Row], category: object, as_of: date) -> float | None:
    ago = [(row, (as_of - _day(row)).days) for row in shop]
    if which == "season":
        if not [row for row, days in ago if days < 364]:
            return None
        life = min(364, max(days for _, days in ago) + 1)
        week, year = (sum(int(_n(row, "n_events")) for row, days in ago if days < limit) for limit in (7, 364))
        return (week / min(7, life)) / (year / life)
    latest: dict[object, object] = {}
    for row, _ in sorted(ago, key=lambda pair: -pair[1]):
        latest[row["product_id"]] = row["category"] or latest.get(row["product_id"])
    products = sorted(str(product) for product, name in latest.items() if name == category and category is not None)
    spans = [[row for row, days in ago if low <= days < low + 30] for low in (0, 30)]
    if which == "trend":
        if not products:
            return None
        a, b = (sum(int(_n(row, "n_events")) for row in span if row["product_id"] in products) for span in spans)
        return math.log((a + 1) / (b + 1))
    ratios = []
    for product in products:
        now, then = ([row for row in span if row["product_id"] == product] for span in spans)
        prices = [_over(_total(part, "price_sum"), _total(part, "n_priced")) for part in (now, then)]
        if prices[0] and prices[1]:
            ratios.append(math.log(prices[0] / prices[1]))
    return math.exp(mean(ratios)) if ratios else None
