"""Does a file have the columns that its adapter promises?"""

import csv
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ulm_spark.config.errors import SourceError
from ulm_spark.events.adapter import SourceAdapter
from ulm_spark.events.batch import InputFile

_MOST_TOLD = 20


@dataclass(frozen=True)
class FileShape:
    """How to read one file. positions: place of each of the adapter's all_columns in its lines, -1 where it has none.

    n_columns: columns of each line. n_header_lines: lines at the top that are no rows.
    problem: why its rows can't be read, None where they can. found: the names that the file has, of JSON
    those of its first lines.
    """

    n_columns: int
    positions: tuple[int, ...]
    n_header_lines: int = 0
    problem: str | None = None
    found: tuple[str, ...] = ()


def shape_without_header(adapter: SourceAdapter) -> FileShape:
    """The shape of a file that must be as the adapter says, since it names no columns itself."""
    n_columns = len(adapter.columns)
    return FileShape(n_columns, (*range(n_columns), *(-1 for _ in adapter.evolves)))


def shape_of_json(adapter: SourceAdapter, lines: Iterable[str]) -> FileShape:
    """The shape of a file of JSON that begins with these lines: any keys will do, and those found are told."""
    keys: dict[str, None] = {}
    for line in lines:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue  # it will be told in quarantine
        keys |= dict.fromkeys(record) if isinstance(record, dict) else {}
    return replace(shape_without_header(adapter), found=tuple(keys))


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
    positions = tuple(found.index(name) if name in found else -1 for name in adapter.all_columns)
    missing = [name for name in adapter.required_columns if name not in found]
    doubled = [name for name in adapter.all_columns if found.count(name) > 1]
    problem = None
    if missing or doubled:
        what = f"missing {', '.join(missing)}" if missing else f"more than one {', '.join(doubled)}"
        problem = f"{what}; expected columns {', '.join(adapter.required_columns)}"
    return FileShape(len(found), positions, problem=problem, found=tuple(found))


def describe_left_out(adapter: SourceAdapter, shapes: Sequence[FileShape]) -> str | None:
    """Columns of the files that the adapter does not name, in words; None where there is none."""
    known = adapter.all_columns
    names = [name for shape in shapes if not shape.problem for name in set(shape.found) - set(known) if name]
    if not names:
        return None
    told = [f"{name} ({n} files)" if n > 1 else name for name, n in sorted(Counter(names).items())]
    more = f" and {len(told) - _MOST_TOLD} more" if len(told) > _MOST_TOLD else ""
    return (
        f"columns that adapter {adapter.name} does not name, kept in the lines of bronze.raw_events alone: "
        f"{', '.join(told[:_MOST_TOLD])}{more}. Add them to its evolves or columns to keep them in silver.events."
    )


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
