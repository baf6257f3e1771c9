"""Sequences from files to batches: Petastorm as we set it up, its defaults, plain pyarrow and TFRecord, in one run.

Writes sequences of 50 events, all of full length since Petastorm's defaults read no others, as Delta would (a row
group a file) and as TFRecord, and lets each feed make batches of 64 sequences as arrays: items, kinds, times and
amounts. Petastorm by its defaults is told twice: the dataset for TensorFlow that its converter makes, and the reader
under it, which hands over row groups and is told without what makes times of gaps. Each reads all in a process of its
own, once unmeasured, then N_ROUNDS times; told is the median. Ours is told from the files and from its cache, as the
epochs after the first read. At last a model of the default settings trains on the same files: told is the share of
its time that it waits for rows.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf
from numpy.typing import NDArray
from petastorm import make_batch_reader
from petastorm.spark.spark_dataset_converter import TFDatasetContextManager

from benchmarks.form import Result, at_least, at_most, main, progress
from ulm_spark.sequence.conf import FeedConf, LaunchConf, TrainingConf
from ulm_spark.sequence.feed import Feed
from ulm_spark.sequence.loop import Training
from ulm_spark.sequence.plan import list_files, pools_of
from ulm_spark.sequence.ranks import Ranks
from ulm_spark.sequence.rows import DAY_S
from ulm_spark.sequence.snapshot import ARRAYS, COLUMNS, Manifest, Snapshot

N_ROWS, N_QUICK_ROWS = 400_000, 20_000
N_FILES, LENGTH, BATCH, N_ITEMS, N_ROUNDS = 16, 50, 64, 20_000, 3
KNOWN_UNTIL_S = 1_700_000_000
Batches = Iterator[tuple[NDArray[np.generic], ...]]
Make = Callable[[], Batches]


def write_files(folder: Path, n_rows: int) -> tuple[str, ...]:
    """Parquet and TFRecord of the same rows; the names of the Parquet files."""
    generator = np.random.default_rng(1)
    paths = []
    for number in range(N_FILES):
        n = n_rows // N_FILES
        items = (generator.zipf(1.3, (n, LENGTH)) % N_ITEMS + 1).astype(np.int32)
        codes = generator.integers(1, 8, (n, LENGTH)).astype(np.int32)
        gaps = generator.integers(0, DAY_S, (n, LENGTH))
        gaps[:, 0] = 0
        amounts = generator.random((n, LENGTH))
        at_us = np.full(n, (KNOWN_UNTIL_S - DAY_S) * 1_000_000)
        columns = {
            "user_id": pa.array([f"u{number}-{row}" for row in range(n)]),
            **{name: _lists(values) for name, values in zip(ARRAYS, (items, codes, gaps, amounts), strict=True)},
            "last_event_at": pa.array(at_us, pa.timestamp("us", "UTC")),
        }
        path = folder / f"part-{number:02d}.parquet"
        pq.write_table(pa.table(columns), path, row_group_size=n)
        paths.append(f"file:{path}")
        with tf.io.TFRecordWriter(str(folder / f"part-{number:02d}.tfrecord")) as writer:
            for row in range(n):
                writer.write(_example(items[row], codes[row], gaps[row], amounts[row], at_us[row]))
    return tuple(paths)


def _lists(values: NDArray[np.generic]) -> pa.ListArray:
    offsets = np.arange(0, values.size + 1, values.shape[1], dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values.ravel()))


def _example(
    items: NDArray[np.int32],
    codes: NDArray[np.int32],
    gaps: NDArray[np.int64],
    amounts: NDArray[np.float64],
    at_us: np.int64,
) -> bytes:
    def whole(values: NDArray[np.generic]) -> tf.train.Feature:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    features = {
        "items": whole(items),
        "codes": whole(codes),
        "gaps": whole(gaps),
        "amounts": tf.train.Feature(float_list=tf.train.FloatList(value=amounts)),
        "at_us": whole(np.array([at_us])),
    }
    return bytes(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())


def petastorm_default(files: tuple[str, ...]) -> Batches:
    """make_batch_reader as it comes: 10 threads, rows in their row groups."""
    urls = [file.replace("file:", "file://") for file in files]
    with make_batch_reader(urls, schema_fields=list(COLUMNS)) as reader:
        for group in reader:
            arrays = tuple(getattr(group, name) for name in ARRAYS)
            yield from _sliced(arrays)


def petastorm_dataset(files: tuple[str, ...]) -> Batches:
    """What the converter's make_tf_dataset makes of a frame: rows one by one, batched, prefetched."""
    urls = [file.replace("file:", "file://") for file in files]
    names = {"schema_fields": list(COLUMNS), "num_epochs": 1}
    with TFDatasetContextManager(urls, BATCH, None, names, None) as dataset:
        for batch in dataset.as_numpy_iterator():
            yield tuple(getattr(batch, name) for name in ARRAYS)


def plain_arrow(files: tuple[str, ...]) -> Batches:
    """Whole row groups by pyarrow, as matrices."""
    for file in files:
        table = pq.read_table(file.removeprefix("file:"), columns=list(COLUMNS)).combine_chunks()
        flat = [table[name].combine_chunks().flatten().to_numpy() for name in ARRAYS]
        yield from _sliced(tuple(values.reshape(-1, LENGTH) for values in flat))


def tfrecord(folder: Path) -> Batches:
    """tf.data as its guides say: parallel reads, parsed in batches, prefetched."""
    spec = {
        **{name: tf.io.FixedLenFeature([LENGTH], tf.int64) for name in ("items", "codes", "gaps")},
        "amounts": tf.io.FixedLenFeature([LENGTH], tf.float32),
        "at_us": tf.io.FixedLenFeature([], tf.int64),
    }
    names = sorted(str(path) for path in folder.glob("*.tfrecord"))
    records = tf.data.TFRecordDataset(names, num_parallel_reads=tf.data.AUTOTUNE).batch(BATCH)
    parsed = records.map(lambda batch: tf.io.parse_example(batch, spec), num_parallel_calls=tf.data.AUTOTUNE)
    for batch in parsed.prefetch(tf.data.AUTOTUNE).as_numpy_iterator():
        yield tuple(batch.values())


def ours(files: tuple[str, ...], conf: FeedConf) -> Batches:
    """The product's feed, in the order of its pools."""
    feed = Feed(conf, LENGTH, 0, 1)
    for pool in pools_of(list_files(files), 0, conf.shuffle_rows):
        rows = feed.read(pool)
        yield from _sliced((rows.items, rows.codes, rows.at_s, rows.amounts))


def _sliced(arrays: tuple[NDArray[np.generic], ...]) -> Batches:
    for start in range(0, len(arrays[0]), BATCH):
        yield tuple(array[start : start + BATCH] for array in arrays)


def apart(name: str, make: Make, n_rows: int) -> float:
    """rows_per_s in a new process: what one feed leaves of threads and torn memory is not the next one's."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(rows_per_s, name, make, n_rows).result()


def rows_per_s(name: str, make: Make, n_rows: int) -> float:
    """Median over the rounds, after one that is not measured."""
    seconds = []
    for number in range(1 + N_ROUNDS):
        began_s = time.monotonic()
        n_found = sum(len(batch[0]) for batch in make())
        seconds.append(time.monotonic() - began_s)
        if n_found != n_rows:
            raise SystemExit(f"{name}: gave {n_found} rows of {n_rows}")
        progress(f"{name}, round {number}: {n_rows / seconds[-1]:,.0f} rows/s")
    return n_rows / median(seconds[1:])


def wait_share(files: tuple[str, ...], n_rows: int, cache: Path) -> float:
    """Share of an epoch's time that the default model waits for rows, the cache being cold: one process, one core."""
    conf = TrainingConf(launch=LaunchConf("inline", threads_per_rank=1), max_epochs=1)
    conf = replace(conf, feed=FeedConf(cache=str(cache)))
    snapshot = Snapshot("2023-11-14", KNOWN_UNTIL_S, "benchmark", 0, 0, "", files, n_rows, N_ITEMS, "")
    told: list[dict[str, float]] = []
    ranks = Ranks()
    Training(Manifest(snapshot, conf, "", ""), (), ranks).run(told.append, lambda checkpoint: None)
    progress(json.dumps(told[-1]))
    return told[-1]["wait_share"]


def measure(quick: bool) -> Result:
    """Every feed, beside Petastorm's defaults."""
    n_rows = N_QUICK_ROWS if quick else N_ROWS
    with tempfile.TemporaryDirectory(prefix="ulm-benchmark-") as folder:
        root = Path(folder)
        progress(f"{n_rows:,} sequences of {LENGTH} events")
        files = write_files(root, n_rows)
        cached = FeedConf(workers=2, cache=str(root / "cache"))
        feeds: dict[str, Make] = {
            "Petastorm, its dataset for TensorFlow": partial(petastorm_dataset, files),
            "Petastorm, its reader": partial(petastorm_default, files),
            "ours, Petastorm, from files": partial(ours, files, FeedConf(workers=2)),
            "ours, Petastorm, from its cache": partial(ours, files, cached),
            "ours, pyarrow, from files": partial(ours, files, FeedConf("arrow")),
            "ours, pyarrow, from its cache": partial(ours, files, replace(cached, kind="arrow")),
            "plain pyarrow": partial(plain_arrow, files),
            "TFRecord": partial(tfrecord, root),
        }
        speeds = {name: apart(name, make, n_rows) for name, make in feeds.items()}
        few = files[: 1 if quick else 2]
        waits = wait_share(few, n_rows // N_FILES * len(few), root / "training")
    default = speeds["Petastorm, its dataset for TensorFlow"]
    rows = tuple((name, f"{speed:,.0f}", f"{speed / default:.2f}") for name, speed in speeds.items())
    best = speeds["ours, Petastorm, from its cache"]
    return Result(
        "feed",
        ("feed", "rows/s", "of Petastorm's dataset"),
        rows,
        {name: round(speed) for name, speed in speeds.items()} | {"wait_share": round(waits, 4)},
        (
            at_least("ours over Petastorm's dataset, rows/s", best / default, 6.0),
            at_least("ours over Petastorm's reader, rows/s", best / speeds["Petastorm, its reader"], 6.0),
            at_least("ours over TFRecord, rows/s", best / speeds["TFRecord"], 1.0),
            at_most("share of the time that the default model waits for rows", waits, 0.05),
        ),
    )


if __name__ == "__main__":
    sys.exit(main(__doc__.splitlines()[0] if __doc__ else "", measure))
