"""Small frames from rows at hand."""

from collections.abc import Sequence

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from ulm_spark.contracts.table import Table


def schema_of(table: Table) -> StructType:
    """The contract's columns as Spark's schema. Needs a running session."""
    return parse_schema(table.schema_ddl)


def parse_schema(ddl: str) -> StructType:
    """The schema that a DDL string names. Needs a running session."""
    schema = StructType.fromDDL(ddl)
    assert isinstance(schema, StructType)
    return schema


def frame_of(spark: SparkSession, table: Table | str, rows: Sequence[Sequence[object]]) -> DataFrame:
    """Rows in the table's order of columns, or a DDL string's, as a frame.

    Through Arrow: it becomes a local relation in the plan, where plain createDataFrame would
    start Python workers for it, a second or two for one row.
    """
    schema = schema_of(table) if isinstance(table, Table) else parse_schema(table)
    names = schema.fieldNames()
    dicts = [dict(zip(names, row, strict=True)) for row in rows]
    return spark.createDataFrame(pa.Table.from_pylist(dicts, schema=to_arrow_schema(schema)), schema=schema)
