"""Does a file have the columns that its adapter promises?"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ulm_spark.config.errors import SourceError
from ulm_spark.events.adapter import SourceAdapter
from ulm_spark.events.batch import InputFile


@dataclass(frozen=True)
class FileShape:
    """How to read one file. positions: place of each of the adapter's columns in its lines, -1 where it has none.

    n_columns: columns of each line. n_header_lines: lines at the top that are no rows.
    problem: why its rows can't be read, None where they can. found: the header's names, for an error.
    """

    n_columns: int
    positions: tuple[int, ...]
    n_header_lines: int = 0
    problem: str | None = None
    found: tuple[str, ...] = ()


def shape_without_header(adapter: SourceAdapter) -> FileShape:
    """The shape of a file that must be as the adapter says, since it names no columns itself."""
    n_columns = len(adapter.columns)
    return FileShape(n_columns, tuple(range(n_columns)))


def shape_of_csv(adapter: SourceAdapter, first_line: str) -> FileShape:
    """The shape that a header line gives. An empty file has no header, no rows and no problem."""
    if not first_line.strip() or not adapter.header:
        return shape_without_header(adapter)
    try:
        found = next(csv.reader([first_line], delimiter=adapter.delimiter, quotechar=adapter.quote))
    except csv.Error:
        # Such as line ends that are a lone CR, which make the whole file one line.
        return FileShape(len(adapter.columns), (), problem="the first line is no CSV header that ends with a line feed")
    shape = shape_of_columns(adapter, [name.strip() for name in found])
    if shape.problem is None:
        return replace(shape, n_header_lines=1)
    if len(found) == 1 and len(adapter.columns) > 1:
        hint = f"the header has no delimiter '{adapter.delimiter}'; "
        return replace(shape, problem=hint + shape.problem)
    return shape


def shape_of_columns(adapter: SourceAdapter, found: Sequence[str]) -> FileShape:
    """The shape that a list of column names gives: any order, more columns than expected allowed."""
    positions = tuple(found.index(name) if name in found else -1 for name in adapter.columns)
    missing = [name for name in adapter.required_columns if name not in found]
    doubled = [name for name in adapter.columns if found.count(name) > 1]
    problem = None
    if missing or doubled:
        what = f"missing {', '.join(missing)}" if missing else f"more than one {', '.join(doubled)}"
        problem = f"{what}; expected columns {', '.join(adapter.required_columns)}"
    return FileShape(len(found), positions, problem=problem, found=tuple(found))


def refuse_bad_files(adapter: SourceAdapter, files: Sequence[InputFile], shapes: Sequence[FileShape]) -> None:
    """Stops at files of another shape. Errors: SourceError that names the first one and counts them."""
    bad = [(file, shape) for file, shape in zip(files, shapes, strict=True) if shape.problem]
    if bad:
        file, shape = bad[0]
        others = f" {len(bad) - 1} more files are bad too." if len(bad) > 1 else ""
        raise SourceError(
            f"{file.source_file}: found columns {', '.join(shape.found)[:500]}: {shape.problem}.{others} Correct the "
            f"file or the adapter {adapter.path}, or set source.on_bad_file to quarantine."
        )
