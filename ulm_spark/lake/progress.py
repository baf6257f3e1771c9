"""Where a job's progress goes: one line at a time, to whoever runs it."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_LOG = logging.getLogger("ulm")
_SINK: ContextVar[Callable[[str], None]] = ContextVar("progress_sink", default=_LOG.info)


def report_progress(text: str) -> None:
    """Says how far a long step is."""
    _SINK.get()(text)


@contextmanager
def progress_to(sink: Callable[[str], None]) -> Iterator[None]:
    """Sends progress to sink while the block runs."""
    token = _SINK.set(sink)
    try:
        yield
    finally:
        _SINK.reset(token)
