"""The ulm command, as a user types it."""

import csv
import io
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.flows.settings import write_config
from tests.frames import rows_of
from ulm_spark.contracts.silver import SESSIONS
from ulm_spark.contracts.tables import TABLES
from ulm_spark.lake.store import Lake, LakeConf
from ulm_spark.pipeline import cli
from ulm_spark.pipeline.graph import job_names

Ulm = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ulm(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ulm:
    """Runs the command; gives exit code, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ulm", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


@pytest.mark.parametrize("command", ["simulate", "run", "graph", "tables", "show", "sql", "doctor"])
def test_every_command_explains_itself(ulm: Ulm, command: str) -> None:
    code, out, _ = ulm(command, "--help")
    assert code == 0
    assert "Usage: ulm" in out


def test_graph_names_every_job_and_tables_every_table(ulm: Ulm) -> None:
    _, drawn, _ = ulm("graph")
    assert [job for job in job_names() if job not in drawn] == []
    code, described, _ = ulm("tables", "silver.sessions")
    assert code == 0
    assert "closes_at" in described
    assert len(TABLES) > 30


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run",), "--as-of"),
        (("run", "--as-of", "20111-01-01"), "20111-01-01"),
        (("run", "--as-of", "9999-12-31"), "1970-01-01 to 9998-12-31"),
        (("run", "--set", "pipeline.as_of=2019-10-01 10:00:00"), "pipeline.as_of"),
        (("run", "--as-of", "2011-12-01", "--only", "sessionise"), "sessionise"),
        (("run", "--as-of", "2011-12-01", "--set", "sessions.gap=3"), "gap"),
        (("run", "--config", "nowhere.yaml"), "nowhere.yaml"),
        (("tables", "silver.session"), "silver.session"),
        (("run", "--no-such-option"), "no-such-option"),
    ],
)
def test_wrong_usage_is_one_clear_line_and_exit_code_2(ulm: Ulm, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = ulm(*arguments)
    assert code == 2
    assert said in err
    assert "Traceback" not in out + err


def test_an_empty_source_folder_is_exit_code_3(spark: SparkSession, ulm: Ulm, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    sections: dict[str, dict[str, object]] = {
        "lake": {"root": str(tmp_path / "lake")},
        "source": {"path": str(tmp_path / "empty")},
    }
    config = write_config(tmp_path / "conf.yaml", sections)
    code, _, err = ulm("run", "--config", str(config), "--as-of", "2024-01-01", "--only", "ingest_events")
    assert code == 3
    assert str(tmp_path / "empty") in err
    assert "Traceback" not in err


@pytest.fixture
def in_shanghai() -> Iterator[None]:
    """A machine whose clock shows another zone than UTC."""
    with pytest.MonkeyPatch.context() as own:
        own.setenv("TZ", "Asia/Shanghai")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def two_sessions(spark: SparkSession, tmp_path: Path) -> str:
    """A config whose lake holds two rows of silver.sessions, the second of nulls and zeros."""
    conf = LakeConf(root=str(tmp_path / "lake"))
    lake = Lake(spark, conf)
    lake.create(SESSIONS)
    first = {
        "session_id": "a",
        "campaign": "[/b] a title",
        "user_id": 'says "x", y',
        "session_on": date(2024, 1, 1),
        "started_at": datetime(2024, 1, 1, 23, 30, 0, 250, tzinfo=UTC),
    }
    lake.append(rows_of(spark, SESSIONS, [first, {"session_id": "b"}]), SESSIONS)
    return str(write_config(tmp_path / "conf.yaml", {"lake": {"root": conf.root}}))


@pytest.mark.usefixtures("in_shanghai")
def test_sql_prints_csv_and_nothing_else(ulm: Ulm, two_sessions: str) -> None:
    query = "select session_id, user_id, session_on, started_at, currency from silver.sessions order by session_id"
    code, out, _ = ulm("sql", query, "--config", two_sessions)
    assert code == 0
    assert list(csv.reader(io.StringIO(out))) == [
        ["session_id", "user_id", "session_on", "started_at", "currency"],
        ["a", 'says "x", y', "2024-01-01", "2024-01-01T23:30:00.00025Z", ""],
        ["b", "", "1970-01-01", "1970-01-01T00:00:00Z", ""],
    ]
    quoted = "select 'silver.orders' as a, count(*) /* silver.orders */ n from Silver.Sessions -- of silver.orders"
    assert ulm("sql", quoted, "--config", two_sessions)[:2] == (0, "a,n\nsilver.orders,2\n")
    nested = "select array(started_at) a, map('b', session_on) m from silver.sessions where session_id = 'b'"
    nested_row = ['["1970-01-01T00:00:00.000Z"]', '{"b":"1970-01-01"}']
    assert list(csv.reader(io.StringIO(ulm("sql", nested, "--config", two_sessions)[1])))[1] == nested_row
    joined = "select count(*) n from silver.sessions join (select session_id from silver.sessions) using (session_id)"
    assert ulm("sql", joined, "--config", two_sessions)[1] == "n\n2\n"
    assert ulm("sql", "select 'a\\rb' x, 'c' y", "--config", two_sessions)[1] == 'x,y\n"a\rb",c\n'


def test_sql_refuses_what_is_no_query_and_what_runs_programs(ulm: Ulm, two_sessions: str) -> None:
    for wrong, reason in {
        "select transform(a) using 'cat' as (b string) from (select 1 a)": "runs a program",
        "select reflect('java.lang.System', 'getenv')": "runs a program",
        "select * from silver.orders": "silver.orders",
        "selec 1": "expected a SELECT",
        "select nothing from silver.sessions": "nothing",
        "delete from silver.sessions": "expected a SELECT",
        "drop table silver.sessions": "expected a SELECT",
    }.items():
        code, out, err = ulm("sql", wrong, "--config", two_sessions)
        assert (code, out) == (2, "")
        assert reason in err
        assert "Traceback" not in err
    assert ulm("sql", "select count(*) n from silver.sessions", "--config", two_sessions)[1] == "n\n2\n"


def test_show_prints_values_as_they_are(ulm: Ulm, two_sessions: str) -> None:
    code, out, _ = ulm("show", "silver.sessions", "--config", two_sessions)
    assert code == 0
    assert "[/b] a title" in out
