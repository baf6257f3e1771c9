"""Where do ranks read files that are on no disk of theirs? Through the readers that come with deltalake.

They read HDFS, S3, Azure and Google storage without a JVM. HDFS is found as Hadoop's own configuration
says (HADOOP_CONF_DIR), the keys of object stores are taken from the environment.
"""

import warnings
from collections.abc import Sequence
from typing import BinaryIO
from urllib.parse import unquote, urlparse
from zipfile import BadZipFile

from deltalake.fs import DeltaStorageHandler
from pyarrow import NativeFile
from pyarrow.fs import FileType, PyFileSystem

from ulm_spark.config.errors import TrainingError

with warnings.catch_warnings():
    # The only kind of file system that the pinned Petastorm takes.
    warnings.simplefilter("ignore", category=FutureWarning)
    from pyarrow.filesystem import FileSystem

_OWN_DISK = "file://"
# What NumPy and JSON raise of files that were torn.
UNREADABLE = (OSError, EOFError, ValueError, KeyError, BadZipFile)


class Storage(FileSystem):
    """The files below a root such as hdfs://host:port, for Petastorm; paths begin with a slash."""

    def __init__(self, root: str) -> None:
        self._files = PyFileSystem(DeltaStorageHandler(f"{root}/"))

    def open(self, path: str, mode: str = "rb") -> NativeFile:
        """The file, to be read from any place."""
        return self._files.open_input_file(path)

    def isfile(self, path: str) -> bool:
        """True where there is such a file."""
        return bool(self._kind(path) == FileType.File)

    def isdir(self, path: str) -> bool:
        """True where there is such a folder."""
        return bool(self._kind(path) == FileType.Directory)

    def exists(self, path: str) -> bool:
        """True where there is either."""
        return bool(self._kind(path) != FileType.NotFound)

    def _kind(self, path: str) -> FileType:
        return self._files.get_file_info(path).type


def storage_of(files: Sequence[str]) -> Storage | None:
    """The storage that holds the files, as Spark names them; None where they are on this machine's disk.

    Errors: TrainingError where they are on more than one.
    """
    roots = {f"{parsed.scheme or 'file'}://{parsed.netloc}" for parsed in map(urlparse, files)}
    if len(roots) > 1:
        raise TrainingError(
            f"feed: found files on {', '.join(sorted(roots))}; expected one storage. Run train_sequence again."
        )
    root = next(iter(roots), _OWN_DISK)
    return None if root == _OWN_DISK else Storage(root)


def path_of(file: str) -> str:
    """The path of a file as Spark names it: URIs are percent-encoded and may have one slash, paths have no scheme."""
    parsed = urlparse(file)
    return unquote(parsed.path) if parsed.scheme else file


def open_file(file: str) -> BinaryIO | NativeFile:
    """The file, as Spark names it, to be read from any place."""
    storage = storage_of([file])
    return open(path_of(file), "rb") if storage is None else storage.open(path_of(file))
