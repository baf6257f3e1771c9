"""In which rows does a table differ from what it shall be?"""

from datetime import date
from functools import reduce
from operator import or_

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from ulm_spark.contracts.table import Table

IS_GONE, N_ROWS = "_is_gone", "_n_rows"
_IS_THERE, _IS_MOVED = "_is_there", "_is_moved"
_MOST_DAYS = 400


def differences(kept: DataFrame, fresh: DataFrame, table: Table, delete_missing: bool) -> DataFrame:
    """The rows of fresh that kept lacks or has otherwise, and where asked the keys of kept that fresh lacks.

    Out: the table's columns; _is_gone, true where the key must go, whose other columns are null then, but
         for those that cluster; _is_moved, true where one of these changed; _n_rows, how many rows of
         fresh have the key: where it is more than one, all of them are there.
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
    return joined.where(is_changed).select(*columns, is_gone.alias(IS_GONE), is_moved.alias(_IS_MOVED), N_ROWS)


def summarise_differences(changes: DataFrame, table: Table) -> tuple[int, int, list[date] | None]:
    """Of differences' frame: its rows, the most rows of one key, and the days that a MERGE must look at.

    Rule: days are those of the first DATE column that clusters the table; None where the table has none, a row
          moved from one day to another, or the days are more than a planner takes quickly.
    """
    day = _day_of(table)
    days = F.collect_set(day) if day else F.array()
    counts = (F.count(F.lit(1)), F.coalesce(F.max(N_ROWS), F.lit(0)), F.max(_IS_MOVED), days)
    n_rows, most_of_a_key, is_moved, found = changes.agg(*counts).collect()[0]
    is_known = day is not None and not is_moved and len(found) <= _MOST_DAYS
    return n_rows, most_of_a_key, sorted(found) if is_known else None


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
