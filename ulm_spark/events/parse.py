"""Rows of text into the source's own columns."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ulm_spark.events.adapter import SourceAdapter

# Put behind a line as one more field. A quote that nobody closed swallows it, and a line with too
# few or too many fields has it at another place, so its place tells a whole line from a broken one.
_END = "\u0001"
_LAST = "_last"
_MOST_FIELDS = 20_000  # Spark's parser fails the job on a line of more than 20,480

ROW = "_row"
IS_PARSED = "_is_parsed"
CONTENT = "_content"


def parse_rows(rows: DataFrame, adapter: SourceAdapter, n_columns: int) -> DataFrame:
    """The adapter's columns of each row.

    In:   rows with the struct ``_row``: line and, for csv, n_columns and positions of its file.
          n_columns: the most columns that a file of the batch has.
    Out:  _row, _is_parsed (true where the row is one whole record), _content (the adapter's
          columns as one text, equal for equal rows), then the adapter's columns and those of evolves.
    Edge: all columns of a row that is no whole record are null.
    """
    if adapter.format == "csv":
        return _parse_csv(rows, adapter, n_columns)
    return _parse_json(rows, adapter)


def _parse_csv(rows: DataFrame, adapter: SourceAdapter, n_columns: int) -> DataFrame:
    names = [f"t{i}" for i in range(n_columns + 1)]
    options = {"sep": adapter.delimiter, "quote": adapter.quote, "escape": adapter.escape, "maxCharsPerColumn": "-1"}
    line = F.col(f"{ROW}.line")
    n_delimiters = F.length(line) - F.length(F.replace(line, F.lit(adapter.delimiter)))
    is_countable = (F.length(line) < _MOST_FIELDS) | (n_delimiters < _MOST_FIELDS)
    with_end = F.when(is_countable, F.concat(line, F.lit(adapter.delimiter + _END)))
    tokens = F.from_csv(with_end, ", ".join(f"{name} STRING" for name in names), options)
    split = rows.select(ROW, tokens.alias("_t")).select(ROW, F.array(*(f"_t.{name}" for name in names)).alias("_t"))
    is_whole = F.array_position("_t", F.lit(_END)) == F.col(f"{ROW}.n_columns") + 1
    is_parsed = F.coalesce(is_whole, F.lit(False))
    whole = split.select(ROW, is_parsed.alias(IS_PARSED), F.when(is_parsed, F.col("_t")).alias("_t"))
    fields = [
        # get() is null outside the array, so the place -1 of a column that the file lacks is null too.
        F.get("_t", F.get(F.col(f"{ROW}.positions"), F.lit(i))).cast(sql_type).alias(name)
        for i, (name, sql_type) in enumerate(adapter.all_columns.items())
    ]
    # Made of the array and not of the columns: Spark's optimizer keeps a variant of an expression for
    # each renamed column in it, two to the power of their number.
    own_places = F.slice(f"{ROW}.positions", 1, len(adapter.columns))
    content = F.to_json(F.transform(own_places, lambda place: F.get(F.col("_t"), place)))
    return whole.select(ROW, IS_PARSED, content.alias(CONTENT), *fields)


def _parse_json(rows: DataFrame, adapter: SourceAdapter) -> DataFrame:
    # In an array whose last record is a number that no line knows of itself, so that text behind the record, be it
    # a second one or a bracket that closes the array early, is an error and not dropped.
    columns = ", ".join(f"`{name}`: {sql_type}" for name, sql_type in (*adapter.all_columns.items(), (_LAST, "BIGINT")))
    number = F.xxhash64(f"{ROW}.line")
    in_brackets = F.concat(F.lit("["), F.col(f"{ROW}.line"), F.lit(f',{{"{_LAST}":'), number, F.lit("}]"))
    records = F.from_json(in_brackets, f"ARRAY<STRUCT<{columns}>>")
    parsed = rows.select(ROW, records.alias("_records"))
    record, last = F.get("_records", F.lit(0)), F.get("_records", F.lit(1))
    is_whole = (F.size("_records") == 2) & record.isNotNull() & (last[_LAST] == number)
    is_parsed = F.coalesce(is_whole, F.lit(False))
    whole = parsed.select(ROW, is_parsed.alias(IS_PARSED), F.when(is_parsed, record.dropFields(_LAST)).alias("_record"))
    own = (
        F.col("_record").dropFields(*(f"`{name}`" for name in adapter.evolves)) if adapter.evolves else F.col("_record")
    )
    content = F.to_json(own)
    return whole.select(ROW, IS_PARSED, content.alias(CONTENT), "_record.*")
