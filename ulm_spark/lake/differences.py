"""In which rows does a table differ from what it shall be?"""

from dataclasses import dataclass
from datetime import date
from functools import reduce
from operator import or_

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from ulm_spark.contracts.table import Table

IS_GONE, N_ROWS = "_is_gone", "_n_rows"
_IS_THERE, _IS_MOVED, _IS_NEW = "_is_there", "_is_moved", "_is_new"
_MOST_DAYS = 400


def differences(kept: DataFrame, fresh: DataFrame, table: Table, delete_missing: bool) -> DataFrame:
    """The rows of fresh that kept lacks or has otherwise, and where asked the keys of kept that fresh lacks.

    Out: the table's columns; _is_gone, true where the key must go, whose other columns are null then, but
         for those that cluster; _is_moved, true where one of these changed; _is_new, true where kept lacks
         the key; _n_rows, how many rows of fresh have the key: where it is more than one, all of them
         are there.
    """
    is_there = F.lit(True).alias(_IS_THERE)
    of_key = Window.partitionBy(*table.key).rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    n_rows = F.count(F.lit(1)).over(of_key).alias(N_ROWS)
    kept, fresh = kept.select("*", is_there).alias("kept"), fresh.select("*", is_there, n_rows).alias("fresh")
    on_key = [F.col(f"fresh.`{name}`") == F.col(f"kept.`{name}`") for name in table.key]
    joined = fresh.join(kept, on=on_key, how="full" if delete_missing else "left")
    is_new, is_gone = F.col(f"kept.{_IS_THERE}").isNull(), F.col(f"fresh.{_IS_THERE}").isNull()
    known = (*table.key, *table.cluster_by)
    columns = [
        F.coalesce(f"fresh.`{name}`", f"kept.`{name}`").alias(name) if name in known else F.col(f"fresh.`{name}`")
        for name in table.column_names
    ]
    moves = [F.col(f"fresh.`{name}`") != F.col(f"kept.`{name}`") for name in table.cluster_by]
    is_moved = F.coalesce(reduce(or_, moves, F.lit(False)), F.lit(False))
    is_changed = is_new | is_gone | (F.col(N_ROWS) > 1) | F.expr(_differs(table))
    marks = (is_gone.alias(IS_GONE), is_moved.alias(_IS_MOVED), is_new.alias(_IS_NEW), N_ROWS)
    return joined.where(is_changed).select(*columns, *marks)


@dataclass(frozen=True)
class Summary:
    """What differs: so many rows, most_of_a_key of them of one key; whether all are new; where a MERGE must look.

    days: of the first DATE column that clusters the table; None where the table has none, a row moved from one day
    to another, or the days are more than a planner takes quickly.
    """

    n_rows: int
    most_of_a_key: int
    are_new: bool
    days: list[date] | None


def summarise_differences(changes: DataFrame, table: Table) -> Summary:
    """What differs, of differences' frame."""
    day = _day_of(table)
    days = F.collect_set(day) if day else F.array()
    most_of_a_key = F.coalesce(F.max(N_ROWS), F.lit(0))
    counts = (F.count(F.lit(1)), most_of_a_key, F.min(_IS_NEW), F.max(_IS_MOVED), days)
    n_rows, n_of_a_key, are_new, is_moved, found = changes.agg(*counts).collect()[0]
    is_known = day is not None and not is_moved and len(found) <= _MOST_DAYS
    return Summary(n_rows, n_of_a_key, bool(are_new), sorted(found) if is_known else None)


def whereabouts(days: list[date] | None, table: Table) -> str:
    """One more condition of a MERGE, by which it looks only at the files that can hold the changed rows."""
    name = _day_of(table)
    if days is None or name is None:
        return ""
    listed = ", ".join(f"DATE'{day}'" for day in days)
    return f" AND kept.`{name}` = fresh.`{name}` AND kept.`{name}` IN ({listed})"


def _day_of(table: Table) -> str | None:
    days = [column.name for column in table.columns if column.name in table.cluster_by and column.type == "DATE"]
    return days[0] if days else None


def _differs(table: Table) -> str:
    comparisons = [
        f"NOT (to_json(kept.`{c.name}`) <=> to_json(fresh.`{c.name}`))"
        if c.type.startswith("MAP")
        else f"NOT (kept.`{c.name}` <=> fresh.`{c.name}`)"
        for c in table.columns
        if c.name not in table.key
    ]
    return " OR ".join(comparisons) or "false"
