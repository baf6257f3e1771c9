"""Files of the lake that are no tables (models, locks, reports), on any Hadoop path."""

import os
import shutil
import tempfile
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
        ...

    def local(self, relative: str) -> Path | None:
        """The path on this machine's disk, None where the tree is elsewhere."""
        ...

    def read_bytes(self, relative: str) -> bytes | None:
        """The content of a file, None where there is none."""
        ...

    def write_bytes(self, relative: str, content: bytes) -> None:
        """Writes or replaces a file; a reader sees the old or the new one, whole."""
        ...

    def create(self, relative: str, content: bytes) -> bool:
        """Writes a file unless it is there; True where this call made it."""
        ...

    def delete(self, relative: str) -> None:
        """Deletes a file or a folder with all in it; nothing happens where there is none."""
        ...

    def download(self, relative: str, target: Path) -> None:
        """Copies a folder to this machine."""
        ...

    def upload(self, source: Path, relative: str) -> None:
        """Copies a folder from this machine, replacing what is there."""
        ...


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
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)

    def create(self, relative: str, content: bytes) -> bool:
        target = self._root / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        try:
            os.link(temporary, target)  # fails where the target is there, and shows it whole where it is not
        except FileExistsError:
            return False
        finally:
            os.unlink(temporary)
        return True

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


class HadoopFiles:
    """A tree on HDFS, S3 or any other Hadoop file system."""

    def __init__(self, spark: SparkSession, root: str) -> None:
        self._jvm = spark.sparkContext._jvm
        self._root = root.rstrip("/")
        hadoop_conf = spark.sparkContext._jsc.hadoopConfiguration()
        self._fs = self._path("").getFileSystem(hadoop_conf)

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
        if not self._fs.exists(self._path(relative)):
            return None
        stream = self._fs.open(self._path(relative))
        try:
            return bytes(self._jvm.org.apache.commons.io.IOUtils.toByteArray(stream))
        finally:
            stream.close()

    def write_bytes(self, relative: str, content: bytes) -> None:
        stream = self._fs.create(self._path(relative), True)
        stream.write(bytearray(content))
        stream.close()

    def create(self, relative: str, content: bytes) -> bool:
        # Atomic on HDFS and ABFS; on S3A it is so from Hadoop 3.4.2 on, where creation is conditional.
        try:
            stream = self._fs.create(self._path(relative), False)
        except Py4JJavaError as error:
            if "FileAlreadyExists" in str(error.java_exception):
                return False
            raise
        stream.write(bytearray(content))
        stream.close()
        return True

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


def open_files(spark: SparkSession, root: str) -> Files:
    """The tree below root: a path without a scheme, or a file: URI, is on this machine's disk."""
    scheme = urlparse(root).scheme
    if scheme in ("", "file"):
        return LocalFiles(Path(urlparse(root).path if scheme else root).expanduser().absolute())
    return HadoopFiles(spark, root)
