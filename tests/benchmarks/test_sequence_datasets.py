"""Public histories as training finds them: nothing of what is tested is known before it."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks import sequence_datasets
from benchmarks.sequence_datasets import Histories, write_manifest
from benchmarks.sequence_recipes import recipe
from ulm_spark.sequence.rows import DAY_S

KNOWN = tuple(np.array(items) for items in ([1, 2], [2, 3, 1], [3, 1], [1, 3, 3]))
TESTED = (np.array([2, 1]),)


def last_s(folder: Path) -> list[int]:
    """When each history ends, in their order."""
    ends = {}
    for path in (folder / "data").iterdir():
        table = pq.read_table(path, columns=["user_id", "last_event_at"]).to_pylist()
        ends |= {int(row["user_id"][1:]): int(row["last_event_at"].timestamp()) for row in table}
    return [ends[user] for user in sorted(ends)]


def test_histories_in_the_order_of_time_are_spread_over_days_and_the_tested_follow(tmp_path: Path) -> None:
    histories = Histories("sessions", KNOWN, TESTED, 3, excludes_seen=False, n_days=8)
    manifest, _ = write_manifest(histories, recipe("retailrocket", "ours"), tmp_path)
    ends = last_s(tmp_path)
    assert np.diff(ends).tolist() == [2 * DAY_S] * 3
    known_until_s = manifest.snapshot.known_until_s
    assert ends[-1] < known_until_s <= sequence_datasets.tested_rows(histories, 5).at_s[:, -2].min()


def test_histories_without_an_order_end_on_one_day(tmp_path: Path) -> None:
    histories = Histories("users", KNOWN, KNOWN, 3, excludes_seen=True)
    write_manifest(histories, recipe("beauty", "ours"), tmp_path)
    assert len(set(last_s(tmp_path))) == 1
    held = sequence_datasets.tested_rows(histories, 5)
    assert held.items[0].tolist() == [0, 0, 0, 0, 1, 2]
    assert set(np.diff(held.at_s[1, -3:])) == {DAY_S}
