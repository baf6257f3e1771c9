"""Which files are new, and what is the batch that they make?"""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from ulm_spark.config.errors import ConfigError, RefusedError
from ulm_spark.config.require import require


@dataclass(frozen=True)
class SourceConf:
    """Section ``source``.

    adapter: name of a file in conf/sources, or the path of such a file. path: a file, a folder
    (searched with all below it) or a pattern, on any Hadoop path; without a scheme it is on this
    machine's disk. on_bad_file: what to do with a file of another shape than its adapter says:
    stop, or quarantine all its rows. A file that can't be read at all always stops the job.
    duplicate_horizon_days: a row is a duplicate where the lake has its event_id on a day at most so
    many days from any of the batch's; 0 looks through the whole history. A copy of a row has its
    day, and a row without event_id has one made of its content, so both are found by any horizon.
    What it misses is an event_id that comes again with a day further away, or in a stream with a time more
    than stream.lateness_s after the first: that is then a second event with the id, which jobs with such
    keys refuse. Set it where the source gives no id twice.
    """

    adapter: str = "native_json"
    path: str = ".ulm/source"
    on_bad_file: Literal["stop", "quarantine"] = "stop"
    duplicate_horizon_days: int = 0

    def __post_init__(self) -> None:
        horizon = self.duplicate_horizon_days
        require(0 <= horizon <= 36_500, "source.duplicate_horizon_days", horizon, "0 to 36,500 days")
        for name in ("adapter", "path"):
            if not getattr(self, name):
                raise ConfigError(f"source.{name}: found nothing; expected a value. Name one in the config.")


@dataclass(frozen=True)
class InputFile:
    """One file of a source.

    path: as Hadoop names it. uri: as Spark's metadata column names it, with special letters
    escaped. source_file: as the lake's tables name it. modified_ms: milliseconds since 1970.
    """

    path: str
    uri: str
    source_file: str
    modified_ms: int
    size_bytes: int

    @property
    def identity(self) -> tuple[str, int, int]:
        """What makes a file another file: its name, time and size."""
        return (self.source_file, self.modified_ms, self.size_bytes)

    @property
    def modified_at(self) -> datetime:
        """The time at which it was last written, in UTC."""
        return datetime.fromtimestamp(self.modified_ms / 1000, UTC)


@dataclass(frozen=True)
class IngestedFile:
    """A row of ops.ingested_files. identity: as an InputFile's."""

    identity: tuple[str, int, int]
    batch_id: str
    read_by: str


def outdated_files(
    found: Iterable[InputFile], ingested: Iterable[IngestedFile], read_by: str, source: str
) -> list[IngestedFile]:
    """The files that the lake has as another adapter, zone or currency read them.

    Errors: RefusedError where the source no longer has one of them as it was: what the lake has of
    it can't be made anew, and beside files that are read otherwise it would be wrong.
    """
    outdated = [file for file in ingested if file.read_by != read_by]
    there = {file.identity for file in found}
    n_missing = sum(file.identity not in there for file in outdated)
    if n_missing:
        raise RefusedError(
            f"source {source}: found a changed adapter, shop.zone or shop.currency, and {n_missing} of the "
            f"{len(outdated)} files that were ingested before the change gone from source.path or changed; expected "
            "all of them as they were, to read them again. Put the files back, restore the old adapter, zone and "
            "currency, or start a new lake.root."
        )
    return outdated


def new_files(found: Iterable[InputFile], ingested: Collection[tuple[object, ...]]) -> list[InputFile]:
    """The files that the lake does not have yet, by name.

    ingested: the identities of the files that it has. A file that changed is a new one, and is read as
    a whole: nobody knows that its old lines are as they were. Those that are turn out as duplicates,
    so each event is kept once, and each content of a file is read once; dt=2025-01-01/a.csv and
    dt=2025-01-02/a.csv are two files.
    """
    return sorted((file for file in found if file.identity not in ingested), key=lambda file: file.source_file)


@dataclass(frozen=True)
class Batch:
    """The files that one ingest reads."""

    source: str
    files: tuple[InputFile, ...]

    @property
    def batch_id(self) -> str:
        """Sixteen hex digits that depend on the source and its files alone, not on their order."""
        return fingerprint(self.source, self.files)


def fingerprint(source: str, files: Iterable[InputFile]) -> str:
    """Sixteen hex digits of a source's name and the files' names, times and sizes, in any order."""
    digest = hashlib.sha256(source.encode())
    for name, modified_ms, size_bytes in sorted(file.identity for file in files):
        digest.update(f"\n{name}\t{modified_ms}\t{size_bytes}".encode())
    return digest.hexdigest()[:16]
