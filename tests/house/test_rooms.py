"""What no file of a room may do, read from the source."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
TRANSFORM_ROOMS = ("events", "sessions", "users", "predict", "recommend", "shop")
# Reading, writing, acting, caching and clocks belong to lake, jobs and pipeline.
ACTING_METHODS = {
    *("collect", "toPandas", "toArrow", "toLocalIterator", "show", "head", "take", "tail", "isEmpty"),
    *("foreach", "foreachPartition", "cache", "persist", "checkpoint", "localCheckpoint"),
}
FORBIDDEN_METHODS = {
    *("write", "writeStream", "writeTo", "createDataFrame", "sparkSession", "rdd"),
    *("udf", "current_timestamp", "current_date", "now", "today"),
}
# With an argument these are aggregates or dictionaries' own.
ACTING_WITHOUT_ARGUMENTS = {"count", "first"}
FORBIDDEN_NAMES = {"SparkSession", "udf", "current_timestamp", "current_date"}
# Functions that may act on frames, and no more than that: a fit does by its nature, a measure is a number.
MAY_COMPUTE = ("fit_", "choose_", "measure_")
# An ingest must look at its files before a frame over them can be built, and write its tables in an order.
ORCHESTRATES = ("events/files.py", "events/ingested.py", "events/intake.py", "events/message_intake.py")


def sources(*rooms: str) -> list[Path]:
    files = [path for room in rooms for path in sorted((ROOT / "ulm_spark" / room).rglob("*.py"))]
    return [path for path in files if not path.as_posix().endswith(ORCHESTRATES)]


def forbidden_names(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    may_act: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name.lstrip("_").startswith(MAY_COMPUTE):
            may_act.update(id(inner) for inner in ast.walk(node))
        elif is_array_take(node):
            may_act.add(id(node.func))
    for node in ast.walk(tree):
        is_method = isinstance(node, ast.Attribute) and node.attr in FORBIDDEN_METHODS
        is_name = isinstance(node, ast.Name) and node.id in FORBIDDEN_NAMES
        if is_method or is_name or (acts(node) and id(node) not in may_act):
            yield f"{path.name}:{node.lineno} {ast.unparse(node)}"


def acts(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in ACTING_METHODS
    is_bare_call = isinstance(node, ast.Call) and not node.args and isinstance(node.func, ast.Attribute)
    return is_bare_call and node.func.attr in ACTING_WITHOUT_ARGUMENTS


def is_array_take(node: ast.AST) -> bool:
    """np.take(...), or .take(pa.array(...)): rows of an array, where a frame's take has a number."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "take"):
        return False
    is_of_arrow = bool(node.args) and ast.unparse(node.args[0]).startswith("pa.array(")
    return is_of_arrow or ast.unparse(node.func.value) == "np"


@pytest.mark.parametrize("room", TRANSFORM_ROOMS)
def test_a_room_neither_reads_nor_writes_nor_acts(room: str) -> None:
    assert [finding for path in sources(room) for finding in forbidden_names(path)] == []


def test_the_guard_sees_what_it_forbids(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text(
        "def act(frame):\n    frame.first()\n    return frame.collect()\n\n\n"
        "def look(frame, n):\n    frame.foreachPartition(print)\n    return frame.take(n), frame.tail(n)\n\n\n"
        "def pick(ids, row):\n    return ids.take(pa.array(row)), np.take(row, row), ids.count(row)\n\n\n"
        "def measure_it(frame):\n    return frame.cache().count(), frame.take(1)\n\n\n"
        "def fit_it(frame):\n    SparkSession.active()\n    frame.write.save()\n"
        "    return frame.collect(), date.today()\n"
    )
    assert sorted(forbidden_names(planted)) == [
        "planted.py:2 frame.first()",
        "planted.py:20 SparkSession",
        "planted.py:21 frame.write",
        "planted.py:22 date.today",
        "planted.py:3 frame.collect",
        "planted.py:7 frame.foreachPartition",
        "planted.py:8 frame.tail",
        "planted.py:8 frame.take",
    ]


def test_jobs_stay_short() -> None:
    long = {p.name: n for p in (ROOT / "jobs").glob("*.py") if (n := len(p.read_text().splitlines())) > 60}
    assert long == {}


def test_the_lower_rooms_import_without_spark() -> None:
    program = (
        "import sys, pkgutil, importlib\n"
        "sys.modules['pyspark'] = sys.modules['delta'] = None\n"
        "for room in ('contracts', 'config', 'stats', 'sequence'):\n"
        "    package = importlib.import_module(f'ulm_spark.{room}')\n"
        "    for found in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        importlib.import_module(found.name)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert result.returncode == 0, result.stderr[-2000:]


def test_every_config_section_is_some_jobs_or_the_pipelines() -> None:
    from dataclasses import fields

    from ulm_spark.config.load import SECTIONS
    from ulm_spark.pipeline.graph import SIMULATION, STREAM, job_names
    from ulm_spark.pipeline.runner import RunSections, load_job

    confs = [load_job(job).Conf for job in (*job_names(), SIMULATION, STREAM)]
    known = {field.name for conf in (*confs, RunSections) for field in fields(conf)}  # type: ignore[arg-type]
    assert known == set(SECTIONS)


def test_every_job_of_the_contracts_has_its_file_and_every_file_its_contract() -> None:
    from ulm_spark.pipeline.graph import SIMULATION, STREAM, job_names

    files = {path.stem for path in (ROOT / "jobs").glob("*.py") if path.stem != "__init__"}
    assert files == {*job_names(), SIMULATION, STREAM}
