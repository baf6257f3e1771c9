"""SQL over the lake's tables, as CSV."""

import csv
import re
from itertools import chain
from typing import TextIO

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    DataType,
    DateType,
    MapType,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from ulm_spark.config.errors import ConfigError
from ulm_spark.contracts.table import Table
from ulm_spark.contracts.tables import BY_NAME, TABLES
from ulm_spark.lake.job import first_lines
from ulm_spark.lake.store import Lake

_NAMES = "|".join(re.escape(table.name) for table in TABLES)
_NAME_OR_QUOTED = re.compile(
    r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`|--[^\n]*|/\*.*?\*/"
    rf"|(?<![\w.`])(?P<name>{_NAMES})(?![\w`])",
    re.IGNORECASE | re.DOTALL,
)
# TRANSFORM ... USING 'command' starts a shell; the others call any method of Java.
_RUNS_PROGRAMS = re.compile(r"\busing\s*r?\x00|\b(java_method|try_reflect|reflect)\s*\(", re.IGNORECASE)


def find_table(name: str) -> Table:
    """The table of that name. Errors: ConfigError, naming the tables there are."""
    if name not in BY_NAME:
        raise ConfigError(f"found no table {name}; expected one of {', '.join(BY_NAME)}. Correct the name.")
    return BY_NAME[name]


def query(lake: Lake, text: str) -> DataFrame:
    """The result of a query that names tables as the contracts do (``silver.sessions``).

    Each name is replaced by the table's place, so that nothing is registered in any catalog; give
    a table an alias where a column must say whose it is.
    Errors: ConfigError for a table that was never written, and for anything that is no query.
    """
    placed = _NAME_OR_QUOTED.sub(lambda found: _placed(lake, found), text)
    if _RUNS_PROGRAMS.search(_NAME_OR_QUOTED.sub(_bare, text)):
        raise ConfigError("found a query that runs a program or Java code; expected a SELECT over tables. Rewrite it.")
    try:
        # Inside brackets only a query can stand: nothing that writes or drops gets through.
        return lake.spark.sql(f"SELECT * FROM (\n{placed.strip().rstrip(';')}\n)")
    except (ParseException, AnalysisException) as error:
        raise ConfigError(f"found no query that can be run ({first_lines(error, 1)}); expected a SELECT.") from error


def _bare(found: re.Match[str]) -> str:
    """A string as one sign, a comment as a blank."""
    return "\x00" if found[0][0] in "'\"" else " "


def _placed(lake: Lake, found: re.Match[str]) -> str:
    """A table's name as its place; what stands in quotes or in a comment as it is."""
    if found["name"] is None:
        return found[0]
    table = BY_NAME[found["name"].lower()]
    if not lake.exists(table):
        raise ConfigError(
            f"{table.name}: found no such table in {lake.root}; expected one that was written. "
            f"Run {table.writer} first."
        )
    return lake.identifier(table)


def write_csv(frame: DataFrame, stream: TextIO) -> None:
    """A header and one line a row; null is empty, instants are ISO 8601 in UTC."""
    writer = csv.writer(_Lines(stream), lineterminator="\r\n")  # quotes what holds either letter
    rows = as_texts(frame).toLocalIterator()
    first = next(rows, None)  # before the header: a query that fails leaves nothing that looks like a result
    writer.writerow(frame.columns)
    for row in chain([first], rows) if first is not None else ():
        writer.writerow(row)


class _Lines:
    """Rows that csv.writer ends with a carriage return, as lines without it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, row: str) -> int:
        """Writes one row."""
        return self._stream.write(row.removesuffix("\r\n") + "\n")


def as_texts(frame: DataFrame) -> DataFrame:
    """The frame with instants (ISO 8601, in UTC), days and nested values (JSON) as text.

    Spark gives instants to Python in the machine's own zone, and Python knows no year above 9999.
    Out: columns c0, c1 and so on, since a query may name two of its columns alike.
    """
    numbered = frame.toDF(*(f"c{place}" for place in range(len(frame.columns))))
    return numbered.select(*(_as_text(c.name, c.dataType).alias(c.name) for c in numbered.schema))


def _as_text(name: str, kind: DataType) -> Column:
    column = F.col(name)
    if isinstance(kind, TimestampType):
        return F.concat(F.replace(column.cast("string"), F.lit(" "), F.lit("T")), F.lit("Z"))
    if isinstance(kind, DateType | TimestampNTZType):
        return column.cast("string")
    if isinstance(kind, BinaryType):
        return F.hex(column)
    return F.to_json(column) if isinstance(kind, ArrayType | MapType | StructType) else column
