"""Which files does a source have, how do they begin, and what are their lines?

The one module of this room that touches storage. Rooms are functions of frames, but which files
there are, and how each one's header reads, must be known before a frame over them can be built;
so this module lists, peeks and opens, for the ingest job to call, and nothing else does.
Everything goes through Hadoop's file systems, so that any path that Spark reads works.
"""

import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch

from py4j.java_gateway import JavaObject, JVMView
from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from ulm_spark.config.errors import SourceError
from ulm_spark.config.require import path_uri
from ulm_spark.events.adapter import SourceAdapter
from ulm_spark.events.batch import InputFile
from ulm_spark.events.shape import FileShape, shape_of_columns, shape_of_csv, shape_of_json, shape_without_header

_GLOB_LETTER = re.compile(r"[\[\]{}*?\\]")
_PEEKED_BYTES = 1 << 16  # a longer header line is taken for a file of another kind
_PEEKING_THREADS = 8


def list_files(spark: SparkSession, path: str, patterns: Sequence[str]) -> list[InputFile]:
    """The source's files, sorted by name; hidden ones (first letter . or _) are none.

    path: a file, a pattern, or a folder in which names are matched against patterns at any depth.
    Errors: SourceError where nothing is found.
    """
    base, found = _found_files(spark, path, patterns)
    if not found:
        raise SourceError(
            f"source.path: found no file in {path} ({path_uri(path, 'source.path')}); expected files named "
            f"{' or '.join(patterns)}. Check the path, or source.adapter."
        )
    files = {_input_file(spark, status, base) for status in found}
    return sorted(files, key=lambda file: file.source_file)


def has_files(spark: SparkSession, path: str, patterns: Sequence[str]) -> bool:
    """False where list_files would find nothing. Errors: SourceError for a path that can't be listed."""
    return bool(_found_files(spark, path, patterns)[1])


def peek_shapes(spark: SparkSession, adapter: SourceAdapter, files: Sequence[InputFile]) -> list[FileShape]:
    """How each file begins, in the order of files. Errors: SourceError for a file that can't be opened."""

    def shape(file: InputFile) -> FileShape:
        if file.size_bytes == 0:
            return shape_without_header(adapter)
        try:
            if adapter.format == "json":
                return shape_of_json(adapter, _first_lines(spark, file, adapter.encoding))
            if adapter.format == "parquet":
                return shape_of_columns(adapter, _parquet_columns(spark, file))
            return shape_of_csv(adapter, _first_lines(spark, file, adapter.encoding)[0])
        except Py4JJavaError as error:
            raise unreadable(file.source_file, error.java_exception.getClass().getSimpleName()) from error

    with ThreadPoolExecutor(_PEEKING_THREADS) as pool:
        return list(pool.map(shape, files))


def open_rows(spark: SparkSession, adapter: SourceAdapter, files: Sequence[InputFile]) -> DataFrame:
    """The files' content as Spark sees it, untouched.

    Out: file_uri; of text files value, block_start and position (a number that rises by one from
    line to line of a block, the part of a file that one task reads); of Parquet files value, the
    row as JSON, and row_index.
    """
    paths = [_GLOB_LETTER.sub(r"\\\g<0>", file.path) for file in files if file.size_bytes]
    uri = F.col("_metadata.file_path").alias("file_uri")
    if not paths:
        return spark.createDataFrame(
            [], "file_uri STRING, value STRING, block_start BIGINT, position BIGINT, row_index BIGINT"
        )
    # Whatever the session says: a file that can't be read must stop the job, or its rows would be lost.
    reader = spark.read.options(ignoreCorruptFiles=False, ignoreMissingFiles=False)
    if adapter.format == "parquet":
        rows = reader.option("mergeSchema", "true").parquet(*paths)
        as_json = F.to_json(F.struct("*"), _JSON_TIMES)
        return rows.select(uri, as_json.alias("value"), F.col("_metadata.row_index").alias("row_index"))
    lines = reader.option("lineSep", "\n").text(paths)
    return lines.select(
        uri,
        "value",
        F.col("_metadata.file_block_start").alias("block_start"),
        F.monotonically_increasing_id().alias("position"),
    )


def unreadable(source_file: str, finding: str) -> SourceError:
    """The error for a file whose bytes can't be read as its format says."""
    return SourceError(
        f"{source_file}: found content that can't be read ({finding}); expected a whole file. "
        "Fetch it again, or take it out of the source's folder."
    )


_JSON_TIMES = {
    "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
    "timestampNTZFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSS",
}


def _jvm(spark: SparkSession) -> JVMView:
    jvm = spark.sparkContext._jvm
    assert jvm is not None  # a session that runs has one
    return jvm


def _hadoop_conf(spark: SparkSession) -> JavaObject:
    return spark.sparkContext._jsc.hadoopConfiguration()


def _found_files(spark: SparkSession, path: str, patterns: Sequence[str]) -> tuple[str, list[JavaObject]]:
    """What names of the source's files are relative to, and the files."""
    hadoop_path = _jvm(spark).org.apache.hadoop.fs.Path(path_uri(path, "source.path"))
    try:
        file_system = hadoop_path.getFileSystem(_hadoop_conf(spark))
        matches = file_system.globStatus(hadoop_path) or []
        found = [status for match in matches for status in _files_below(spark, file_system, match, patterns)]
        return _base_of(file_system.makeQualified(hadoop_path).toString()), found
    except Py4JJavaError as error:
        raise SourceError(
            f"source.path: found that {path} can't be listed ({error.java_exception.getClass().getSimpleName()}); "
            "expected a folder, with no colon in a name. Check the path, its permissions and the names in it."
        ) from error


def _refuse_names_out_of_sight(spark: SparkSession, folder: str) -> None:
    """Stops where Java, which passes over them without a word, can't write the name of a local file or folder."""
    encoding = _jvm(spark).java.lang.System.getProperty("sun.jnu.encoding")
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            try:
                name.encode(encoding)
            except UnicodeEncodeError as error:
                raise SourceError(
                    f"source.path: found the name {name!a} in {place!a}, which Java can't write in {encoding}; "
                    "expected a name that it can. Rename it, or start with LC_ALL=C.UTF-8."
                ) from error


def _files_below(
    spark: SparkSession, file_system: JavaObject, match: JavaObject, patterns: Sequence[str]
) -> list[JavaObject]:
    if match.isFile():
        return [] if _is_hidden(match.getPath().getName()) else [match]
    if file_system.getScheme() == "file":
        _refuse_names_out_of_sight(spark, match.getPath().toUri().getPath())
    found = []
    start = len(match.getPath().toString())
    entries = file_system.listFiles(match.getPath(), True)
    while entries.hasNext():
        status = entries.next()
        below = status.getPath().toString()[start:].strip("/").split("/")
        if not any(map(_is_hidden, below)) and any(fnmatch(below[-1], pattern) for pattern in patterns):
            found.append(status)
    return found


def _is_hidden(name: str) -> bool:
    # Spark passes over them without a word, also where they are asked for by name.
    return name.startswith((".", "_")) or name.endswith("._COPYING_")


def _base_of(root: str) -> str:
    """The folder that file names are relative to: root without its pattern, if it has one."""
    parts = root.split("/")
    fixed = next((i for i, part in enumerate(parts) if _GLOB_LETTER.search(part)), len(parts))
    return "/".join(parts[:fixed]).rstrip("/")


def _input_file(spark: SparkSession, status: JavaObject, base: str) -> InputFile:
    path = status.getPath().toString()
    relative = path.removeprefix(f"{base}/") if path != base else path.rsplit("/", 1)[-1]
    return InputFile(
        path=path,
        # As Spark spells it in _metadata.file_path: a Path made from text, not one from a listing.
        uri=_jvm(spark).org.apache.hadoop.fs.Path(path).toUri().toString(),
        source_file=relative,
        modified_ms=int(status.getModificationTime()),
        size_bytes=int(status.getLen()),
    )


def _first_lines(spark: SparkSession, file: InputFile, encoding: str) -> list[str]:
    """At least one line; the last may be cut."""
    jvm, conf = _jvm(spark), _hadoop_conf(spark)
    path = jvm.org.apache.hadoop.fs.Path(file.path)
    codec = jvm.org.apache.hadoop.io.compress.CompressionCodecFactory(conf).getCodec(path)
    stream = path.getFileSystem(conf).open(path)
    try:
        plain = codec.createInputStream(stream) if codec is not None else stream
        content = bytes(plain.readNBytes(_PEEKED_BYTES))
    finally:
        stream.close()
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    return [line.decode(encoding, errors="replace").rstrip("\r") for line in lines]


def _parquet_columns(spark: SparkSession, file: InputFile) -> list[str]:
    jvm = _jvm(spark)
    source = jvm.org.apache.parquet.hadoop.util.HadoopInputFile.fromPath(
        jvm.org.apache.hadoop.fs.Path(file.path), _hadoop_conf(spark)
    )
    reader = jvm.org.apache.parquet.hadoop.ParquetFileReader.open(source)
    try:
        fields = reader.getFooter().getFileMetaData().getSchema().getFields()
        return [fields.get(i).getName() for i in range(fields.size())]
    finally:
        reader.close()
