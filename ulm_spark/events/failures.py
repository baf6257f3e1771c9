"""What Spark says of an unreadable file or a failed expression, in words that name the file or the adapter."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from ulm_spark.config.errors import ConfigError, UlmError
from ulm_spark.events.adapter import SourceAdapter
from ulm_spark.events.files import unreadable

_READ_FAILURE = re.compile(
    r"(?:Encountered error while reading file|Could not read footer for file:?|footer for file:?)\s*(\S+?)[.]?(?:\s|$)"
)
_EXPRESSION_FAILURE = re.compile(
    r"\[(CAST_INVALID_INPUT|CAST_OVERFLOW|ARITHMETIC_OVERFLOW|DIVIDE_BY_ZERO|INVALID_ARRAY_INDEX\w*|INVALID_PARAMETER_VALUE|CANNOT_PARSE_TIMESTAMP|NUMERIC_VALUE_OUT_OF_RANGE)"
)


@contextmanager
def explained_failures(adapter: SourceAdapter) -> Iterator[None]:
    """Turns Spark's errors of the block, where their cause is the input or the adapter, into the project's own."""
    try:
        yield
    except (PySparkException, Py4JJavaError) as error:
        explained = explain(str(error), adapter)
        if explained is None:
            raise
        raise explained from error


def explain(text: str, adapter: SourceAdapter) -> UlmError | None:
    """The error that a text of Spark's stands for, None where its cause is another."""
    unread = _READ_FAILURE.search(text)
    if unread:
        causes = re.findall(r"Caused by: ([\w.$]+)", text)
        finding = causes[-1].rsplit(".", 1)[-1] if causes else "unreadable"
        return unreadable(unread.group(1), finding)
    failed = _EXPRESSION_FAILURE.search(text)
    if failed:
        return ConfigError(
            f"{adapter.path}: found an expression that fails on a row of the source ({failed.group(1)}); expected null "
            "for a value that can't be read. Use TRY_CAST and the other TRY_ functions in it."
        )
    return None
