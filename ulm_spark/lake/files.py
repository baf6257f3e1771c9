"""Files of the lake that are no tables (models, locks, reports), on any Hadoop path."""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import urlparse

from py4j.java_gateway import JavaObject
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from ulm_spark.config.require import local_path


class Files(Protocol):
    """A folder tree; every path is relative to its root, with slashes."""

    @property
    def root(self) -> str:
        """The root as Spark reads it: an absolute path or a URI."""

    def local(self, relative: str) -> Path | None:
        """The path on this machine's disk, None where the tree is elsewhere."""

    def read_bytes(self, relative: str) -> bytes | None:
        """The content of a file, None where there is none."""

    def write_bytes(self, relative: str, content: bytes) -> None:
        """Writes or replaces a file; a reader sees the old or the new one, whole."""

    def create(self, relative: str, content: bytes) -> bool:
        """Writes a file unless it is there; True where this call made it. No reader sees half of it."""

    def remove_if(self, relative: str, expected: bytes) -> bool:
        """Deletes a file whose content is still the expected one; True where this call did it.

        Rule: of several callers one gets True (not on S3 and its like, where a rename is a copy).
        Edge: a file that changed at the very last moment is away for an instant, then put back.
        """

    def modified_at_s(self, relative: str) -> float | None:
        """When a file was last written (Unix seconds), None where there is none."""

    def delete(self, relative: str) -> None:
        """Deletes a file or a folder with all in it; nothing happens where there is none."""

    def download(self, relative: str, target: Path) -> None:
        """Copies a folder to this machine."""

    def upload(self, source: Path, relative: str) -> None:
        """Copies a folder from this machine, replacing what is there."""


class LocalFiles:
    """A tree on this machine's disk."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def root(self) -> str:
        return str(self._root)

    def local(self, relative: str) -> Path | None:
        return self._root / relative

    def read_bytes(self, relative: str) -> bytes | None:
        with suppress(FileNotFoundError):
            return (self._root / relative).read_bytes()
        return None

    def write_bytes(self, relative: str, content: bytes) -> None:
        os.replace(self._written_beside(relative, content), self._root / relative)

    def create(self, relative: str, content: bytes) -> bool:
        temporary = self._written_beside(relative, content)
        try:
            os.link(temporary, self._root / relative)  # fails where the target is there
            return True
        except FileExistsError:
            return False
        finally:
            os.unlink(temporary)

    def remove_if(self, relative: str, expected: bytes) -> bool:
        return _remove_if(self, self._rename, relative, expected)

    def modified_at_s(self, relative: str) -> float | None:
        with suppress(FileNotFoundError):
            return (self._root / relative).stat().st_mtime
        return None

    def _written_beside(self, relative: str, content: bytes) -> Path:
        temporary = self._root / _beside(relative)
        temporary.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        return temporary

    def _rename(self, source: str, target: str) -> None:
        os.rename(self._root / source, self._root / target)

    def delete(self, relative: str) -> None:
        target = self._root / relative
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)

    def download(self, relative: str, target: Path) -> None:
        shutil.copytree(self._root / relative, target, dirs_exist_ok=True)

    def upload(self, source: Path, relative: str) -> None:
        self.delete(relative)
        shutil.copytree(source, self._root / relative)


def _beside(relative: str) -> str:
    """A hidden name in the same folder that no other call uses."""
    path = PurePosixPath(relative)
    return str(path.with_name(f".{path.name}.{uuid.uuid4().hex}"))


def _remove_if(files: Files, move: Callable[[str, str], None], relative: str, expected: bytes) -> bool:
    """Moves a file aside, which of several callers one can do, and only then looks what it was."""
    if files.read_bytes(relative) != expected:
        return False
    aside = _beside(relative)
    try:
        move(relative, aside)
    except FileNotFoundError:
        return False
    found = files.read_bytes(aside)
    if found is not None and found != expected:
        files.create(relative, found)  # unless there is a newer one by now
    files.delete(aside)
    return found == expected


# Here a file appears whole when it is closed, while a rename is a copy: so files are written in place.
_WHOLE_ON_CLOSE = ("s3", "s3a", "gs")


class HadoopFiles:
    """A tree on HDFS, S3 or any other Hadoop file system."""

    def __init__(self, spark: SparkSession, root: str) -> None:
        context = spark.sparkContext
        assert context._jvm is not None
        assert context._gateway is not None
        self._jvm, self._gateway = context._jvm, context._gateway
        self._root = root.rstrip("/")
        self._hadoop_conf = context._jsc.hadoopConfiguration()
        self._fs = self._path("").getFileSystem(self._hadoop_conf)
        self._is_whole_on_close = self._fs.getScheme() in _WHOLE_ON_CLOSE

    def _path(self, relative: str) -> JavaObject:
        return self._jvm.org.apache.hadoop.fs.Path(f"{self._root}/{relative}" if relative else self._root)

    @property
    def root(self) -> str:
        return self._root

    def local(self, relative: str) -> Path | None:
        return None

    def read_bytes(self, relative: str) -> bytes | None:
        with suppress(FileNotFoundError), _errors_as_python(), closing(self._fs.open(self._path(relative))) as stream:
            return bytes(self._jvm.org.apache.commons.io.IOUtils.toByteArray(stream))
        return None

    def write_bytes(self, relative: str, content: bytes) -> None:
        self._write(relative, content, True)

    def create(self, relative: str, content: bytes) -> bool:
        with suppress(FileExistsError), _errors_as_python():
            self._write(relative, content, False)
            return True
        return False

    def remove_if(self, relative: str, expected: bytes) -> bool:
        return _remove_if(self, self._rename, relative, expected)

    def modified_at_s(self, relative: str) -> float | None:
        with suppress(FileNotFoundError), _errors_as_python():
            return int(self._fs.getFileStatus(self._path(relative)).getModificationTime()) / 1000
        return None

    def _write(self, relative: str, content: bytes, overwrites: bool) -> None:
        if self._is_whole_on_close:  # without overwriting, S3A makes this conditional from Hadoop 3.4.2 on
            self._put(relative, content, overwrites)
            return
        temporary = _beside(relative)
        try:
            self._put(temporary, content, False)
            self._rename(temporary, relative, "OVERWRITE" if overwrites else "NONE")
        finally:
            self.delete(temporary)

    def _put(self, relative: str, content: bytes, overwrites: bool) -> None:
        with closing(self._fs.create(self._path(relative), overwrites)) as stream:
            stream.write(bytearray(content))

    def _rename(self, source: str, target: str, option: str = "NONE") -> None:
        """FileContext's rename: atomic on HDFS, and it names what failed, which FileSystem's does not."""
        hadoop = self._jvm.org.apache.hadoop.fs
        options = self._gateway.new_array(hadoop.Options.Rename, 1)
        options[0] = hadoop.Options.Rename.valueOf(option)
        context = hadoop.FileContext.getFileContext(self._fs.getUri(), self._hadoop_conf)
        # Unlike FileSystem it takes no path without authority, such as hdfs:///lake/...
        paths = [self._fs.makeQualified(self._path(name)) for name in (source, target)]
        with _errors_as_python():
            context.rename(*paths, options)

    def delete(self, relative: str) -> None:
        self._fs.delete(self._path(relative), True)

    def download(self, relative: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        self._fs.copyToLocalFile(False, self._path(relative), self._jvm.org.apache.hadoop.fs.Path(str(target)), True)

    def upload(self, source: Path, relative: str) -> None:
        self.delete(relative)
        self._fs.mkdirs(self._path(str(PurePosixPath(relative).parent)))
        self._fs.copyFromLocalFile(self._jvm.org.apache.hadoop.fs.Path(str(source)), self._path(relative))


_AS_PYTHON = {"FileNotFoundException": FileNotFoundError, "FileAlreadyExistsException": FileExistsError}


@contextmanager
def _errors_as_python() -> Iterator[None]:
    """Java's absent and existing files as Python's own errors."""
    try:
        yield
    except Py4JJavaError as error:
        name = str(error.java_exception.getClass().getSimpleName())
        if name not in _AS_PYTHON:
            raise
        raise _AS_PYTHON[name](name) from error


def open_files(spark: SparkSession, root: str) -> Files:
    """The tree below root: a path without a scheme, or a file: URI, is on this machine's disk."""
    scheme = urlparse(root).scheme
    if scheme in ("", "file"):
        return LocalFiles(local_path(urlparse(root).path if scheme else root, "lake.root").absolute())
    return HadoopFiles(spark, root)
