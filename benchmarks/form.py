"""The form that every benchmark shares: progress, a table, and one JSON object as the last line."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Goal:
    """One bar: the value measured, the goal in words, and whether it was met.

    is_promise: true where a miss is a defect, such as a wrong row, and no matter of speed or of quality.
    """

    name: str
    value: float
    goal: str
    met: bool
    is_promise: bool = False


@dataclass(frozen=True)
class Result:
    """What a benchmark found. rows are printed as a table under the header; figures are for machines."""

    name: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    figures: dict[str, float]
    goals: tuple[Goal, ...] = ()


def progress(text: str) -> None:
    """Says on stderr how far the benchmark is."""
    print(f"... {text}", file=sys.stderr, flush=True)


def at_most(name: str, value: float, bar: float) -> Goal:
    """A goal that is met at or below the bar."""
    return Goal(name, round(value, 4), f"at most {bar:g}", value <= bar)


def at_least(name: str, value: float, bar: float) -> Goal:
    """A goal that is met at or above the bar."""
    return Goal(name, round(value, 4), f"at least {bar:g}", value >= bar)


def none_of(name: str, n_wrong: float) -> Goal:
    """A promise: that there is none of what is wrong."""
    return Goal(name, n_wrong, "0", n_wrong == 0, is_promise=True)


def main(description: str, measure: Callable[[bool], Result], argv: Sequence[str] | None = None) -> int:
    """Reads --quick, measures, prints; 1 where a promise was broken, else 0, whether or not goals were met."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="a smaller input, to see that it works")
    return show(measure(parser.parse_args(argv).quick))


def show(result: Result) -> int:
    """Prints tables and the JSON line; 1 where a promise was broken, else 0."""
    console = Console(width=140)
    for title, header, rows in (
        (result.name, result.header, result.rows),
        ("goals", ("goal", "value", "bar", "met"), _goal_rows(result.goals)),
    ):
        if rows:
            table = Table(*header, title=title)
            for row in rows:
                table.add_row(*row)
            console.print(table)
    goals = [asdict(goal) for goal in result.goals]
    print(json.dumps({"name": result.name, "figures": result.figures, "goals": goals}, sort_keys=True))
    return int(any(goal.is_promise and not goal.met for goal in result.goals))


def _goal_rows(goals: Sequence[Goal]) -> tuple[tuple[str, ...], ...]:
    return tuple((goal.name, f"{goal.value:g}", goal.goal, "yes" if goal.met else "no") for goal in goals)
