"""How do Arrow batches become tables on which whole users can be worked out?"""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.contracts.silver import MONEY
from ulm_spark.stats.histories import Ints

ROWS_A_CHUNK = 200_000
# Decimals pass as whole ten thousandths: their sums are exact.
SCALE = 10_000


def together(rows: DataFrame) -> DataFrame:
    """Rows with all of a user's in one partition, in the order of the column day, users apart."""
    # A hash first: numbers are compared long before texts are.
    return rows.repartition("user_id").sortWithinPartitions(F.xxhash64("user_id"), "user_id", "day")


def large_tables(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Batches as tables of ROWS_A_CHUNK rows or little more."""
    held: list[pa.RecordBatch] = []
    n_held = 0
    for batch in batches:
        held.append(batch)
        n_held += batch.num_rows
        if n_held >= ROWS_A_CHUNK:
            yield pa.Table.from_batches(held)
            held, n_held = [], 0
    if n_held:
        yield pa.Table.from_batches(held)


def whole_users(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Batches of rows that lie together, as tables of some ROWS_A_CHUNK rows, no user in two of them."""
    held: pa.Table | None = None
    for table in large_tables(batches):
        rows = table if held is None else pa.concat_tables([held, table])
        users = user_numbers(rows)
        n_whole = int(np.searchsorted(users, users[-1], side="left"))
        if n_whole:
            yield rows.slice(0, n_whole)
        held = rows.slice(n_whole)
    if held is not None:
        yield held


def user_numbers(table: pa.Table) -> Ints:
    """[n_rows] int64: 0 for the first user's rows, 1 for those of the next that appears, ..."""
    codes = joined(table.column("user_id")).dictionary_encode()
    return np.asarray(codes.indices.to_numpy(), dtype=np.int64)


def joined(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """A column, of a table or of a batch, in one piece."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], type=column.type)


def taken(values: pa.Array, rows: Ints) -> pa.Array:
    """The values in these rows; null for row -1."""
    return values.take(pa.array(rows, mask=rows < 0))


def in_type(name: str, dtype: str) -> Column:
    """A column in its contract's type; what is MONEY there comes as whole ten thousandths."""
    if dtype == MONEY:
        return (F.col(name).cast("decimal(22,0)") / F.lit(SCALE)).cast(MONEY).alias(name)
    return F.col(name).cast(dtype).alias(name)


def sorted_codes(texts: pa.Array) -> tuple[Ints, pa.Array]:
    """[n] int64: the place of each text among all different ones, sorted by their bytes, -1 for null; and these."""
    encoded = texts.dictionary_encode()
    order = pc.array_sort_indices(encoded.dictionary)
    place = np.full(len(order) + 1, -1)
    place[order.to_numpy()] = np.arange(len(order))
    codes: Ints = place[pc.fill_null(encoded.indices, -1).to_numpy()]
    return codes, encoded.dictionary.take(pa.array(order))
