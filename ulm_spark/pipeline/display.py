"""What a person sees while jobs run: a live line on a terminal, plain lines elsewhere; all on stderr."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from ulm_spark.lake.progress import progress_to

POLL_S = 0.5


class Display:
    """Counts jobs, and shows how far the running one is."""

    def __init__(self, n_jobs: int, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._n_jobs = n_jobs
        self._n_over = 0

    def skipped(self, job: str) -> None:
        """The job's last run still holds."""
        self._line(job, "already done")

    def streamed(self, job: str) -> None:
        """A stream that runs now does the job's work."""
        self._line(job, "left to the stream that runs")

    def would_run(self, job: str) -> None:
        """The job is about to run, were this no dry run."""
        self._line(job, "would run")

    @contextmanager
    def running(self, job: str, spark: SparkSession) -> Iterator[None]:
        """Shows the job's stages and messages while the block runs, and how long it took."""
        began_s = time.monotonic()
        with self._live(job, spark):
            yield
        self._line(job, f"done in {time.monotonic() - began_s:.1f} s")

    @contextmanager
    def _live(self, job: str, spark: SparkSession) -> Iterator[None]:
        if not self._console.is_terminal:
            self._console.print(f"[{self._n_over + 1}/{self._n_jobs}] {job} ...", markup=False, soft_wrap=True)
            with progress_to(lambda text: self._console.print(f"    {job}: {text}", markup=False, soft_wrap=True)):
                yield
            return
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self._console, transient=True) as bars:
            bars.add_task("jobs", total=self._n_jobs, completed=self._n_over, note="")
            stage_bar = bars.add_task(job, total=None, note="")
            stop = threading.Event()
            poll = threading.Thread(target=_poll_stages, args=(spark, bars, stage_bar, stop), daemon=True)
            poll.start()
            try:
                with progress_to(lambda text: bars.update(stage_bar, note=text)):
                    yield
            finally:
                stop.set()
                poll.join()

    def _line(self, job: str, outcome: str) -> None:
        self._n_over += 1
        self._console.print(f"[{self._n_over}/{self._n_jobs}] {job}: {outcome}", markup=False, soft_wrap=True)


def _poll_stages(spark: SparkSession, bars: Progress, task_id: TaskID, stop: threading.Event) -> None:
    tracker = spark.sparkContext.statusTracker()
    while not stop.wait(POLL_S):
        stages = [info for info in map(tracker.getStageInfo, tracker.getActiveStageIds()) if info is not None]
        n_tasks = sum(info.numTasks for info in stages)
        n_done = sum(info.numCompletedTasks for info in stages)
        bars.update(task_id, total=n_tasks or None, completed=n_done)
