"""Every law that the simulation plants: the one place in which a new one is registered.

To add a law: a file of its own here with its formula and source, its settings as a dataclass and
its arithmetic over arrays (or a transform); new numbers of counter_rng.Stream at the end; a field of
conf.SimulationConf; a call in generate.py or wire.py; a line in LAWS; and, where tests need more
than its parameters to find it again, a table in contracts/truth.py with a transform in truth.py.
"""

from dataclasses import dataclass, fields, is_dataclass
from types import ModuleType

from ulm_spark.shop import (
    aftersales,
    bots,
    catalogue,
    disorder,
    funnel,
    identities,
    next_item,
    people,
    prices,
    purchases,
    seasons,
    timing,
    visits,
)
from ulm_spark.shop.conf import SimulationConf
from ulm_spark.shop.personas import persona_parameters


@dataclass(frozen=True)
class Law:
    """A planted law: its formula, where it comes from, and its field of SimulationConf, empty where it has none."""

    name: str
    formula: str
    source: str
    section: str


def _law(name: str, module: ModuleType, section: str = "") -> Law:
    return Law(name, module.FORMULA, module.SOURCE, section)


LAWS = (
    _law("catalogue", catalogue, "catalogue"),
    _law("people", people, "people"),
    _law("purchases", purchases, "purchases"),
    _law("visits", visits, "visits"),
    _law("timing", timing),
    _law("next_item", next_item, "next_item"),
    _law("funnel", funnel),
    _law("aftersales", aftersales, "aftersales"),
    _law("prices", prices, "prices"),
    _law("seasons", seasons, "seasons"),
    _law("bots", bots, "bots"),
    _law("identities", identities, "identities"),
    _law("disorder", disorder, "disorder"),
)

# Where and in how many pieces it runs is no part of what was planted.
_NOT_PLANTED = ("landing", "files_per_day", "compression", "n_partitions")


def law_rows(conf: SimulationConf) -> list[tuple[str, str, str]]:
    """Rows of truth.laws: law, name, value."""
    rows = [
        ("simulation", field.name, str(getattr(conf, field.name)))
        for field in fields(conf)
        if field.name not in _NOT_PLANTED and not is_dataclass(getattr(conf, field.name))
    ]
    for law in LAWS:
        rows += [(law.name, "formula", law.formula), (law.name, "source", law.source)]
        if law.section:
            settings = getattr(conf, law.section)
            rows += [(law.name, field.name, str(getattr(settings, field.name))) for field in fields(settings)]
    rows += [("personas", name, value) for name, value in persona_parameters().items()]
    return rows
