"""Public sequences with their published split.

Of Beauty and MovieLens 1M the last item of each history is tested, and the one before it validates. RetailRocket comes
as sessions to learn from and as pairs of a session's beginning and the next item; a tenth of the sessions, by a hash,
validates with its last item.

Read where they lie, beside the project: ../shared/data. Written as silver.sequences is, so that the product's own
feed and loop train on them. The files tell the order of events and no times: events are a day apart. Sessions of
RetailRocket lie in the order of time, as the items tell that the tested ones share with early and late ones: they are
spread evenly over the days of that data set, their events a minute apart, and the tested ones follow.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.pinned import pin
from ulm_spark.sequence.conf import TrainingConf
from ulm_spark.sequence.rows import DAY_S, PURCHASE_CODE, Rows, pad_left
from ulm_spark.sequence.snapshot import SCHEMA, Manifest

DATA = Path(__file__).parent.parent.parent / "shared" / "data"
LAST_AT = datetime(2020, 1, 1, tzinfo=UTC)
N_FILES = 8
RETAILROCKET_DAYS = 137  # from May to September 2015


@dataclass(frozen=True)
class Histories:
    """Items of each user or session, oldest first; numbered from 1 by falling count of what training sees.

    known: what training sees. tested: whose last item is to be named from those before it. excludes_seen: an item of
    those before is never the one to be named, by the protocol. n_days: over which histories are spread in their order,
    0 where all end on the same day.
    """

    name: str
    known: tuple[NDArray[np.int64], ...]
    tested: tuple[NDArray[np.int64], ...]
    n_items: int
    excludes_seen: bool
    n_days: int = 0

    @property
    def gap_s(self) -> int:
        """Seconds between events."""
        return 60 if self.n_days else DAY_S

    @property
    def tested_at_s(self) -> int:
        """Seconds of the last event of those tested: of a day that training sees, or the one after it."""
        return int(LAST_AT.timestamp()) + (2 * DAY_S if self.n_days else 0)


def beauty() -> Histories:
    """Amazon Beauty, 5-core, as S3-Rec prepared it: a line holds a user and its items."""
    lines = (DATA / "s3rec_5core" / "Beauty.txt").read_text(encoding="ascii").splitlines()
    histories = [np.array(line.split()[1:], np.int64) for line in lines]
    return _numbered("beauty", [items[:-1] for items in histories], histories, excludes_seen=True)


def movielens_1m() -> Histories:
    """MovieLens 1M, as SASRec prepared it: a line holds a user and an item."""
    pairs = np.loadtxt(DATA / "movielens_1m" / "ml-1m_sasrec_reconstructed.txt", np.int64)
    histories = np.split(pairs[:, 1], np.flatnonzero(np.diff(pairs[:, 0])) + 1)
    return _numbered("ml1m", [items[:-1] for items in histories], histories, excludes_seen=True)


def retailrocket() -> Histories:
    """RetailRocket sessions, as COTREC prepared them: sessions of views, and pairs of a beginning and the next item."""
    folder = DATA / "retailrocket_seq"
    sessions = [np.array(line.split(), np.int64) for line in (folder / "train_sessions.csv").read_text().splitlines()]
    pairs = [np.array(line.split(), np.int64) for line in (folder / "test_pairs.tsv").read_text().splitlines()]
    return replace(_numbered("retailrocket", sessions, pairs, excludes_seen=False), n_days=RETAILROCKET_DAYS)


def _numbered(
    name: str, known: list[NDArray[np.int64]], tested: list[NDArray[np.int64]], *, excludes_seen: bool
) -> Histories:
    seen, every = np.concatenate(known), np.concatenate([*known, *tested])
    n_ids = int(every.max()) + 1
    counts = np.bincount(seen, minlength=n_ids)
    ids = np.unique(every)
    order = ids[np.lexsort((ids, -counts[ids]))]
    number = np.zeros(n_ids, np.int64)
    number[order] = np.arange(1, len(order) + 1)
    known_numbers = tuple(number[items] for items in known)
    return Histories(name, known_numbers, tuple(number[items] for items in tested), len(order), excludes_seen)


DATASETS = {"beauty": beauty, "ml1m": movielens_1m, "retailrocket": retailrocket}


def write_manifest(histories: Histories, conf: TrainingConf, folder: Path) -> tuple[Manifest, tuple[str, ...]]:
    """What training sees, as pinned files in folder, and the vocabulary."""
    users = range(len(histories.known))
    parts = [
        pa.Table.from_pylist([_row(histories, user) for user in users[number::N_FILES]], schema=SCHEMA)
        for number in range(N_FILES)
    ]
    known_until_s = int(LAST_AT.timestamp()) + DAY_S
    return pin(histories.name, f"{LAST_AT:%Y-%m-%d}", known_until_s, parts, histories.n_items, conf, folder)


def _row(histories: Histories, user: int) -> dict[str, object]:
    items = histories.known[user]
    n_items, share_after = len(items), 1.0 - (user + 1) / len(histories.known)
    return {
        "user_id": f"u{user}",
        "item_indices": items,
        "event_codes": [PURCHASE_CODE] * n_items,
        "gap_seconds": [0] + [histories.gap_s] * (n_items - 1),
        "amounts": [0.0] * n_items,
        "last_event_at": LAST_AT - timedelta(seconds=int(share_after * histories.n_days * DAY_S)),
    }


def tested_rows(histories: Histories, length: int) -> Rows:
    """Tested histories, whose last event is what a model is to name from the length events before it."""
    items = pad_left(histories.tested, length + 1).astype(np.int32)
    at_s = histories.tested_at_s - histories.gap_s * np.arange(length, -1, -1, dtype=np.int64)
    is_item = items > 0
    codes = np.where(is_item, PURCHASE_CODE, 0).astype(np.int32)
    return Rows(
        np.arange(len(items), dtype=np.uint64),
        items,
        codes,
        np.where(is_item, at_s, 0),
        np.zeros(items.shape, np.float32),
    )
