"""Files of the lake that are no tables (models, locks, reports), on any Hadoop path."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import urlparse

from py4j.java_gateway import JavaObject
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession


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
        try:
            return (self._root / relative).read_bytes()
        except FileNotFoundError:
            return None

    def write_bytes(self, relative: str, content: bytes) -> None:
        target = self._root / relative
        os.replace(_written_beside(target, content), target)

    def create(self, relative: str, content: bytes) -> bool:
        target = self._root / relative
        temporary = _written_beside(target, content)
        try:
            os.link(temporary, target)  # fails where the target is there, and shows it whole where it is not
        except FileExistsError:
            return False
        finally:
            os.unlink(temporary)
        return True

    def remove_if(self, relative: str, expected: bytes) -> bool:
        if self.read_bytes(relative) != expected:
            return False
        target = self._root / relative
        aside = self._root / _beside(relative)
        try:
            os.rename(target, aside)  # of several callers one gets the file
        except FileNotFoundError:
            return False
        try:
            if aside.read_bytes() == expected:
                return True
            with suppress(FileExistsError):
                os.link(aside, target)
            return False
        finally:
            aside.unlink()

    def modified_at_s(self, relative: str) -> float | None:
        try:
            return (self._root / relative).stat().st_mtime
        except FileNotFoundError:
            return None

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


def _written_beside(target: Path, content: bytes) -> str:
    """A new file with the content, in the target's folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
    os.chmod(temporary, 0o644)
    return temporary


# Here a file appears whole when it is closed, while a rename is a copy: so files are written in place.
_WHOLE_ON_CLOSE = ("s3", "s3a", "gs")


class HadoopFiles:
    """A tree on HDFS, S3 or any other Hadoop file system."""

    def __init__(self, spark: SparkSession, root: str) -> None:
        self._jvm = spark.sparkContext._jvm
        self._gateway = spark.sparkContext._gateway
        self._root = root.rstrip("/")
        self._hadoop_conf = spark.sparkContext._jsc.hadoopConfiguration()
        self._fs = self._path("").getFileSystem(self._hadoop_conf)
        self._is_whole_on_close = self._fs.getScheme() in _WHOLE_ON_CLOSE

    def _path(self, relative: str) -> JavaObject:
        assert self._jvm is not None
        return self._jvm.org.apache.hadoop.fs.Path(f"{self._root}/{relative}" if relative else self._root)

    @property
    def root(self) -> str:
        return self._root

    def local(self, relative: str) -> Path | None:
        return None

    def read_bytes(self, relative: str) -> bytes | None:
        assert self._jvm is not None
        with suppress(FileNotFoundError), _errors_as_python():
            stream = self._fs.open(self._path(relative))
            try:
                return bytes(self._jvm.org.apache.commons.io.IOUtils.toByteArray(stream))
            finally:
                stream.close()
        return None

    def write_bytes(self, relative: str, content: bytes) -> None:
        self._write(relative, content, True)

    def create(self, relative: str, content: bytes) -> bool:
        with suppress(FileExistsError), _errors_as_python():
            self._write(relative, content, False)
            return True
        return False

    def remove_if(self, relative: str, expected: bytes) -> bool:
        if self.read_bytes(relative) != expected:
            return False
        aside = _beside(relative)
        with suppress(FileNotFoundError), _errors_as_python():
            self._rename(relative, aside, False)
            found = self.read_bytes(aside)
            if found is not None and found != expected:
                self.create(relative, found)
            self.delete(aside)
            return found == expected
        return False

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
            self._rename(temporary, relative, overwrites)
        finally:
            self.delete(temporary)

    def _put(self, relative: str, content: bytes, overwrites: bool) -> None:
        stream = self._fs.create(self._path(relative), overwrites)
        try:
            stream.write(bytearray(content))
        finally:
            stream.close()

    def _rename(self, source: str, target: str, overwrites: bool) -> None:
        """FileContext's rename: atomic on HDFS, and it names what failed, which FileSystem's does not."""
        assert self._jvm is not None
        assert self._gateway is not None
        hadoop = self._jvm.org.apache.hadoop.fs
        options = self._gateway.new_array(hadoop.Options.Rename, 1)
        options[0] = hadoop.Options.Rename.valueOf("OVERWRITE" if overwrites else "NONE")
        context = hadoop.FileContext.getFileContext(self._fs.getUri(), self._hadoop_conf)
        context.rename(self._path(source), self._path(target), options)

    def delete(self, relative: str) -> None:
        self._fs.delete(self._path(relative), True)

    def download(self, relative: str, target: Path) -> None:
        assert self._jvm is not None
        target.parent.mkdir(parents=True, exist_ok=True)
        self._fs.copyToLocalFile(False, self._path(relative), self._jvm.org.apache.hadoop.fs.Path(str(target)), True)

    def upload(self, source: Path, relative: str) -> None:
        assert self._jvm is not None
        self.delete(relative)
        self._fs.mkdirs(self._path(str(PurePosixPath(relative).parent)))
        self._fs.copyFromLocalFile(self._jvm.org.apache.hadoop.fs.Path(str(source)), self._path(relative))


@contextmanager
def _errors_as_python() -> Iterator[None]:
    """Java's absent and existing files as Python's own errors."""
    try:
        yield
    except Py4JJavaError as error:
        name = str(error.java_exception.getClass().getSimpleName())
        if name == "FileNotFoundException":
            raise FileNotFoundError(name) from error
        if name == "FileAlreadyExistsException":
            raise FileExistsError(name) from error
        raise


def open_files(spark: SparkSession, root: str) -> Files:
    """The tree below root: a path without a scheme, or a file: URI, is on this machine's disk."""
    scheme = urlparse(root).scheme
    if scheme in ("", "file"):
        return LocalFiles(Path(urlparse(root).path if scheme else root).expanduser().absolute())
    return HadoopFiles(spark, root)
