"""Rows of a benchmark as training finds a day's: pinned files, and the manifest that names them."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ulm_spark.sequence.conf import TrainingConf
from ulm_spark.sequence.snapshot import Manifest, Snapshot, split_rule, vocabulary_checksum


def pin(
    name: str,
    as_of: str,
    known_until_s: int,
    parts: Sequence[pa.Table],
    n_items: int,
    conf: TrainingConf,
    folder: Path,
    begin_from: str = "",
) -> tuple[Manifest, tuple[str, ...]]:
    """Writes parts, tables of SCHEMA, as a file each below folder: their manifest, and the vocabulary."""
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    paths = [data / f"part-{number}.parquet" for number in range(len(parts))]
    for path, part in zip(paths, parts, strict=True):
        pq.write_table(part, path)
    vocabulary = tuple(f"p{number:06d}" for number in range(1, n_items + 1))
    snapshot = Snapshot(
        as_of=as_of,
        known_until_s=known_until_s,
        table=name,
        version=0,
        vocabulary_table_version=0,
        vocabulary_version="",
        files=tuple(f"file:{path.resolve()}" for path in paths),
        n_rows=sum(part.num_rows for part in parts),
        n_items=n_items,
        vocabulary_checksum=vocabulary_checksum(list(vocabulary)),
        split_rule=split_rule(conf),
    )
    return Manifest(snapshot, conf, str(folder / "model"), str(folder / "checkpoint"), begin_from), vocabulary
