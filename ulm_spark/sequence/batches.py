"""The steps of a pool: its rows in an order that the seed decides, cut, each with what is to be named."""

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np

from ulm_spark.sequence.conf import TrainingConf
from ulm_spark.sequence.queries import Queries, draw_queries
from ulm_spark.sequence.rows import Bools, Int64s, Rows
from ulm_spark.sequence.targets import Targets, draw_targets

MadeT = TypeVar("MadeT")
_SHUFFLE, _TARGETS, _ORDER = 0, 1, 2  # streams of random numbers of a pool


@dataclass(frozen=True)
class Batch:
    """Rows of a step, no longer than the longest, their targets, and what the heads are asked. n_rows: of examples."""

    rows: Rows
    targets: Targets
    n_rows: int
    queries: Queries | None = None


@dataclass(frozen=True)
class Examples:
    """What an epoch learns from: of each row, what stands before end, its last n_events places; all [m] int64."""

    row: Int64s
    end: Int64s
    n_events: Int64s

    def __len__(self) -> int:
        return len(self.row)


def examples_of(rows: Rows, conf: TrainingConf) -> Examples:
    """Each row in windows of what the model sees; with prefixes what it sees of each beginning of two events or more.

    Rule: windows end where the row ends, and one begins with the event that the one before it ends with, so that every
          event but the first is the next one of some place once.
    """
    n_events, width = rows.is_item.sum(axis=1), rows.items.shape[1]
    longest = width if conf.targets.n_windows == 1 else conf.model.max_length
    if conf.targets.prefixes:
        row, place = np.nonzero(rows.is_item[:, :-1])
        return Examples(row, place + 2, np.minimum(place + 2 - width + n_events[row], longest))
    n_windows = np.maximum(-(-(n_events - 1) // (longest - 1)), 1)
    row = np.repeat(np.arange(len(rows)), n_windows)
    after = (longest - 1) * (np.arange(len(row)) - np.repeat(np.cumsum(n_windows) - n_windows, n_windows))
    return Examples(row, width - after, np.minimum(n_events[row] - after, longest))


def cut(
    rows: Rows,
    examples: Examples,
    is_asked: Bools,
    n_steps: int,
    conf: TrainingConf,
    known_until_s: int,
    seed: Sequence[int],
    rank: int,
) -> Iterator[Batch]:
    """n_steps batches of as many examples each, every example in one.

    In:   is_asked [n], False for rows of which the heads are asked nothing.
    Rule: examples are shuffled; with by_length batches then take neighbours in length, and come in a random order,
          the same on all ranks, so that ranks have long batches at the same step.
    Edge: with fewer examples than steps some batches hold one row without events; no step, no batch.
    """
    if n_steps == 0:
        return
    order = np.random.default_rng((*seed, _SHUFFLE, rank)).permutation(len(examples))
    if conf.feed.by_length:
        order = order[np.argsort(examples.n_events[order], kind="stable")]
    parts = np.array_split(order, n_steps)
    drawn = np.random.default_rng((*seed, _TARGETS, rank))
    for step in np.random.default_rng((*seed, _ORDER)).permutation(n_steps):
        part = parts[step]
        row, end, queries = examples.row[part], examples.end[part], None
        # Questions look at all that is there; without them nothing is copied that no one sees.
        length = rows.items.shape[1] if conf.heads.tasks else max(int(examples.n_events[part].max(initial=0)), 2)
        chosen = rows.until(row, end, length) if len(part) else Rows.blank(length)
        if conf.heads.tasks:
            asked = is_asked[row] if len(part) else np.zeros(1, bool)
            seen = draw_queries(chosen, asked, conf.heads, conf.model.max_length, known_until_s, drawn)
            chosen, queries = seen[0].trimmed(), seen[1]
            n_cut = seen[0].items.shape[1] - chosen.items.shape[1]
            queries = replace(queries, place=queries.place - np.int32(n_cut))
        targets = draw_targets(chosen, conf.targets, drawn)
        yield Batch(chosen, targets, len(part), queries)


class Ahead(Generic[MadeT]):
    """What a generator yields, made by a thread of its own, at most n_ahead before it is asked for.

    waited_s: how long was waited for it so far. An error of the generator is raised where it would have yielded.
    """

    def __init__(self, make: Callable[[], Iterator[MadeT]], n_ahead: int) -> None:
        self.waited_s = 0.0
        self._made: queue.Queue[tuple[MadeT | None, BaseException | None]] = queue.Queue(n_ahead)
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(make,), daemon=True)

    def __iter__(self) -> Generator[MadeT, None, None]:
        self._thread.start()
        try:
            while True:
                began_s = time.monotonic()
                made, error = self._made.get()
                self.waited_s += time.monotonic() - began_s
                if error is not None:
                    raise error
                if made is None:
                    return
                yield made
        finally:
            self._is_stopped.set()
            self._thread.join()

    def _run(self, make: Callable[[], Iterator[MadeT]]) -> None:
        try:
            for made in make():
                if not self._put(made, None):
                    return
            self._put(None, None)
        except BaseException as error:  # raised again where the batches are used
            self._put(None, error)

    def _put(self, made: MadeT | None, error: BaseException | None) -> bool:
        while not self._is_stopped.is_set():
            try:
                self._made.put((made, error), timeout=0.2)
                return True
            except queue.Full:  # looked at again, since the reader may have stopped
                continue
        return False
