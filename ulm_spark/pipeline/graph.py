"""Which job runs after which: implied by who writes and who reads each table."""

from collections.abc import Sequence

from ulm_spark.config.errors import ConfigError
from ulm_spark.contracts.ops import EVERY_JOB
from ulm_spark.contracts.table import Table
from ulm_spark.contracts.tables import TABLES

# Makes input for the graph instead of reading the lake, so a run never starts it.
SIMULATION = "simulate_shop"
# Does the work of these for as long as it runs, so a run never starts it either.
STREAM = "stream_events"
STREAMED = ("ingest_events", "sessionize")


def job_names(tables: Sequence[Table] = TABLES) -> tuple[str, ...]:
    """The jobs in an order in which each comes after those it reads from; ties in contract order."""
    writers = list(dict.fromkeys(t.writer for t in tables if t.writer not in (EVERY_JOB, SIMULATION)))
    ordered: list[str] = []
    while len(ordered) < len(writers):
        ready = [job for job in writers if job not in ordered and upstream(job, tables) <= set(ordered)]
        if not ready:
            stuck = ", ".join(job for job in writers if job not in ordered)
            raise ConfigError(f"contracts: found a circle among {stuck}; expected none. Correct readers or writers.")
        ordered.append(ready[0])
    return tuple(ordered)


def upstream(job: str, tables: Sequence[Table] = TABLES) -> set[str]:
    """The jobs that write what a job reads."""
    return {t.writer for t in tables if job in t.readers and t.writer not in (EVERY_JOB, job)}


def select_jobs(
    only: Sequence[str], start: str | None, without: Sequence[str] = (), tables: Sequence[Table] = TABLES
) -> tuple[str, ...]:
    """The jobs to run: all, those named, or one and all that depend on it; without those that are to be left out.

    Errors: ConfigError for a name that is no job.
    """
    jobs = job_names(tables)
    unknown = sorted({*only, *without, *([start] if start else [])} - set(jobs))
    if unknown:
        raise ConfigError(f"found no job {', '.join(unknown)}; expected one of {', '.join(jobs)}. Correct the name.")
    wanted = set(only or jobs)
    if start is not None and not only:
        wanted = {start}
        for job in jobs:
            if upstream(job, tables) & wanted:
                wanted.add(job)
    return tuple(job for job in jobs if job in wanted and job not in without)


def render_graph(tables: Sequence[Table] = TABLES) -> str:
    """The graph as text: each job with what it reads and writes."""
    blocks = []
    for job in job_names(tables):
        reads = [t.name for t in tables if job in t.readers and t.writer not in (EVERY_JOB, job)]
        writes = [t.name for t in tables if t.writer == job]
        blocks.append(f"{job}\n  reads   {', '.join(reads) or 'no table'}\n  writes  {', '.join(writes)}")
    return "\n".join(blocks)


def render_mermaid(tables: Sequence[Table] = TABLES) -> str:
    """The graph of jobs in Mermaid's notation."""
    jobs = job_names(tables)
    edges = [f"  {before} --> {job}" for job in jobs for before in jobs if before in upstream(job, tables)]
    return "\n".join(["flowchart LR", *edges])
