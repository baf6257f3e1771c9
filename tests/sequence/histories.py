"""A small set of histories in Parquet files, as silver.sequences lies on disk."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ulm_spark.sequence.conf import LaunchConf, TrainingConf
from ulm_spark.sequence.learning_conf import TargetsConf
from ulm_spark.sequence.model_conf import ModelConf
from ulm_spark.sequence.rows import PURCHASE_CODE, Rows
from ulm_spark.sequence.snapshot import SCHEMA, Manifest, Snapshot, split_rule, vocabulary_checksum

N_ITEMS = 12
KNOWN_UNTIL_S = int(datetime(2024, 4, 1, tzinfo=UTC).timestamp())
VOCABULARY = tuple(f"p{number:02d}" for number in range(1, N_ITEMS + 1))
SMALL = TrainingConf(
    model=ModelConf(dim=8, max_length=6),
    targets=TargetsConf(n_events=2, n_positions=3, exclude_seen=False),
    launch=LaunchConf(launcher="inline"),
    batch_size=8,
    max_epochs=2,
    patience=2,
    validation_share=0.3,
    seed=7,
)


def history(user: int) -> dict[str, object]:
    """Items in a ring, each user from a start and with a length of its own; every hour one."""
    n_items = 1 + user % 9
    last_at = datetime.fromtimestamp(KNOWN_UNTIL_S - 3600 * (1 + 7 * user), UTC)
    return {
        "user_id": f"u{user:03d}",
        "item_indices": [1 + (user + step) % N_ITEMS for step in range(n_items)],
        "event_codes": [PURCHASE_CODE if step % 2 else 1 for step in range(n_items)],
        "gap_seconds": [0] + [3600] * (n_items - 1),
        "amounts": [2.5 * step if step % 2 else 0.0 for step in range(n_items)],
        "last_event_at": last_at,
    }


def write_files(folder: Path, n_users: int, n_files: int) -> tuple[str, ...]:
    """One row group a file, as Delta writes them."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(n_files):
        rows = [history(user) for user in range(number, n_users, n_files)]
        path = folder / f"part-{number:02d}.parquet"
        # Spark writes instants as INT96
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path, use_deprecated_int96_timestamps=True)
        paths.append(f"file:{path}")
    return tuple(paths)


def snapshot_of(files: tuple[str, ...], n_rows: int, conf: TrainingConf = SMALL) -> Snapshot:
    return Snapshot(
        as_of="2024-03-31",
        known_until_s=KNOWN_UNTIL_S,
        table="silver.sequences",
        version=3,
        vocabulary_table_version=2,
        vocabulary_version="00c0ffee00c0ffee",
        files=files,
        n_rows=n_rows,
        n_items=N_ITEMS,
        vocabulary_checksum=vocabulary_checksum(list(VOCABULARY)),
        split_rule=split_rule(conf),
    )


def manifest_of(folder: Path, n_users: int, n_files: int, conf: TrainingConf = SMALL) -> Manifest:
    files = write_files(folder / "data", n_users, n_files)
    return Manifest(snapshot_of(files, n_users, conf), conf, str(folder / "model"), str(folder / "checkpoint"))


def rows(items: list[list[int]], codes: list[list[int]] | None = None, hours: list[list[int]] | None = None) -> Rows:
    """Rows from lists that are padded already; without codes views, without hours one event an hour."""
    at = np.array(items, np.int32)
    is_item = at > 0
    clock = np.array(hours, np.int64) if hours else np.broadcast_to(np.arange(at.shape[1]), at.shape)
    return Rows(
        np.arange(len(at), dtype=np.uint64),
        at,
        np.array(codes, np.int32) if codes else is_item.astype(np.int32),
        np.where(is_item, KNOWN_UNTIL_S - 3600 * 24 + 3600 * clock, 0),
        np.zeros(at.shape, np.float32),
    )
