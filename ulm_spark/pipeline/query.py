"""SQL over the lake's tables, as CSV."""

import csv
import re
from datetime import date
from itertools import chain
from typing import TextIO

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import TimestampType

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
    try:
        # Inside brackets only a query can stand: nothing that writes or drops gets through.
        return lake.spark.sql(f"SELECT * FROM (\n{placed.strip().rstrip(';')}\n)")
    except (ParseException, AnalysisException) as error:
        raise ConfigError(f"found no query that can be run ({first_lines(error, 1)}); expected a SELECT.") from error


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
    writer = csv.writer(stream, lineterminator="\n")
    rows = instants_as_text(frame).toLocalIterator()
    first = next(rows, None)  # before the header: a query that fails leaves nothing that looks like a result
    writer.writerow(frame.columns)
    for row in chain([first], rows) if first is not None else ():
        writer.writerow([_text(value) for value in row])


def instants_as_text(frame: DataFrame) -> DataFrame:
    """The frame with instants as ISO 8601 in UTC: Spark gives them to Python in the machine's own zone.

    Out: columns c0, c1 and so on, since a query may name two of its columns alike.
    """
    numbered = frame.toDF(*(f"c{place}" for place in range(len(frame.columns))))
    texts = [
        F.concat(F.replace(F.col(c.name).cast("string"), F.lit(" "), F.lit("T")), F.lit("Z")).alias(c.name)
        if isinstance(c.dataType, TimestampType)
        else F.col(c.name)
        for c in numbered.schema
    ]
    return numbered.select(*texts)


def _text(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value
