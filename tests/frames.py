"""Literal rows for tests: a row names what matters, the contract fills in the rest."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    IntegerType,
    LongType,
    MapType,
    StringType,
    TimestampType,
)

from ulm_spark.contracts.table import Table
from ulm_spark.lake.literal import frame_of, parse_schema, schema_of

_NEUTRAL: tuple[tuple[type[DataType], object], ...] = (
    (StringType, ""),
    (BooleanType, False),
    (IntegerType, 0),
    (LongType, 0),
    (DoubleType, 0.0),
    (DecimalType, Decimal(0)),
    (DateType, date(1970, 1, 1)),
    (TimestampType, datetime(1970, 1, 1, tzinfo=UTC)),
    (ArrayType, []),
    (MapType, {}),
)


def utc(text: str) -> datetime:
    """An instant from ISO text, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def rows_of(spark: SparkSession, table: Table | str, rows: Sequence[Mapping[str, object]]) -> DataFrame:
    """A frame with the table's schema (or a DDL string's): absent columns are null, or neutral where null is barred."""
    schema = schema_of(table) if isinstance(table, Table) else parse_schema(table)
    names = set(schema.fieldNames())
    for row in rows:
        unknown = sorted(set(row) - names)
        if unknown:
            raise ValueError(f"no such column: {', '.join(unknown)}")
    values = [tuple(_value(row, f.name, f.dataType, f.nullable) for f in schema) for row in rows]
    return frame_of(spark, table, values)


def texts_of(frame: DataFrame) -> list[str]:
    """The frame's rows as JSON, sorted: equal for equal rows in any order."""
    return sorted(frame.toJSON().collect())


def _value(row: Mapping[str, object], name: str, data_type: DataType, nullable: bool) -> object:
    if name in row:
        value = row[name]
        return Decimal(str(value)) if isinstance(data_type, DecimalType) and value is not None else value
    if nullable:
        return None
    return next(neutral for kind, neutral in _NEUTRAL if isinstance(data_type, kind))
