"""In which file does each row lie, so that no file is longer than another?"""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

_N_BUCKETS = 1024
_FIRST, _HERE = Window.unboundedPreceding, Window.currentRow
_WORD = 0xFFFFFFFF


def deal_out(rows: DataFrame, key: str, n_files: int) -> DataFrame:
    """The rows in n_files partitions whose counts differ by one at most, to be written as one file each.

    In:   any frame whose string column key is unique. It is computed twice: keep it while this is written.
    Out:  the same rows and columns, within a partition by key.
    Rule: rows are numbered in the order of a hash of key and dealt out like cards: row i lies in file
          i modulo n_files. So the same rows always lie in the same files.
    Edge: with fewer rows than n_files each row has a file of its own, and the other partitions are empty.
    """
    bucketed = rows.withColumn("_bucket", F.pmod(F.xxhash64(key), F.lit(_N_BUCKETS)))
    # Numbered in buckets, each from where the buckets before it end: no task numbers all rows.
    sizes = bucketed.groupBy("_bucket").agg(F.count("*").alias("_size"))
    before = F.sum("_size").over(Window.orderBy("_bucket").rowsBetween(_FIRST, -1))
    starts = sizes.select("_bucket", F.coalesce(before, F.lit(0)).alias("_start"))
    place = F.row_number().over(Window.partitionBy("_bucket").orderBy(key).rowsBetween(_FIRST, _HERE)) - 1
    numbered = bucketed.withColumn("_place", place).join(F.broadcast(starts), on="_bucket", how="inner")
    file = F.pmod(F.col("_start") + F.col("_place"), F.lit(n_files)).cast("int")
    lots = F.array(*(F.lit(lot) for lot in lots_of(n_files)))
    return (
        numbered.withColumn("_lot", F.element_at(lots, file + 1))
        .repartition(n_files, "_lot")
        .select(*rows.columns)
        .sortWithinPartitions(key)
    )


def lots_of(n_partitions: int) -> list[int]:
    """For each partition the smallest whole number that repartition(n_partitions, an INT column) sends there.

    Spark 4.0 has no way to name a row's partition, so the hash by which it chooses one is turned round.
    """
    lots: dict[int, int] = {}
    number = 0
    while len(lots) < n_partitions:
        lots.setdefault(hash_of(number) % n_partitions, number)
        number += 1
    return [lots[partition] for partition in range(n_partitions)]


def hash_of(number: int) -> int:
    """Spark's hash(INT): MurmurHash3 of 32 bits, seed 42 (Appleby, 2011)."""
    block = _turned(number * 0xCC9E2D51 & _WORD, 15) * 0x1B873593 & _WORD
    mixed = _turned(42 ^ block, 13) * 5 + 0xE6546B64 & _WORD
    mixed ^= 4  # bytes hashed
    mixed = (mixed ^ mixed >> 16) * 0x85EBCA6B & _WORD
    mixed = (mixed ^ mixed >> 13) * 0xC2B2AE35 & _WORD
    mixed ^= mixed >> 16
    return mixed - (_WORD + 1) if mixed >> 31 else mixed


def _turned(word: int, n_bits: int) -> int:
    return (word << n_bits | word >> 32 - n_bits) & _WORD
