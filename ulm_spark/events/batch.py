"""Which files are new, and what is the batch that they make?"""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from ulm_spark.config.errors import ConfigError


@dataclass(frozen=True)
class SourceConf:
    """Section ``source``.

    adapter: name of a file in conf/sources, or the path of such a file. path: a file, a folder
    (searched with all below it) or a pattern, on any Hadoop path; without a scheme it is on this
    machine's disk. on_bad_file: what to do with a file of another shape than its adapter says:
    stop, or quarantine all its rows. A file that can't be read at all always stops the job.
    """

    adapter: str = "native_json"
    path: str = ".ulm/source"
    on_bad_file: Literal["stop", "quarantine"] = "stop"

    def __post_init__(self) -> None:
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


def new_files(found: Iterable[InputFile], ingested: Collection[tuple[object, ...]]) -> list[InputFile]:
    """The files that the lake does not have yet, by name.

    ingested: source_file, modified_at in milliseconds and size_bytes of the source's rows in
    ops.ingested_files. A file that changed is a new one; its old rows turn out as duplicates.
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
