"""The ulm command, as a user types it."""

import csv
import io
import sys
import time
from collections.abc import Callable
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


def test_sql_prints_csv_and_nothing_else(
    spark: SparkSession,
    ulm: Ulm,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    conf = LakeConf(root=str(tmp_path / "lake"))
    lake = Lake(spark, conf)
    lake.create(SESSIONS)
    day, instant = date(2024, 1, 1), datetime(2024, 1, 1, 23, 30, 0, 250, tzinfo=UTC)
    first = {"session_id": "a", "user_id": 'says "x", y', "session_on": day, "started_at": instant}
    rows = [first, {"session_id": "b"}]
    lake.append(rows_of(spark, SESSIONS, rows), SESSIONS)
    config = write_config(tmp_path / "conf.yaml", {"lake": {"root": conf.root}})
    query = "select session_id, user_id, session_on, started_at, currency from silver.sessions order by session_id"
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    request.addfinalizer(time.tzset)  # by then the variable is back
    code, out, _ = ulm("sql", query, "--config", str(config))
    assert code == 0
    assert list(csv.reader(io.StringIO(out))) == [
        ["session_id", "user_id", "session_on", "started_at", "currency"],
        ["a", 'says "x", y', "2024-01-01", "2024-01-01T23:30:00.00025Z", ""],
        ["b", "", "1970-01-01", "1970-01-01T00:00:00Z", ""],
    ]
    quoted = "select 'silver.orders' as a, count(*) /* silver.orders */ n from Silver.Sessions -- of silver.orders"
    assert ulm("sql", quoted, "--config", str(config))[:2] == (0, "a,n\nsilver.orders,2\n")
    wrong_queries = ("select * from silver.orders", "selec 1", "select nothing from silver.sessions")
    for wrong in (*wrong_queries, "delete from silver.sessions", "drop table silver.sessions"):
        code, out, err = ulm("sql", wrong, "--config", str(config))
        assert (code, out) == (2, "")
        assert "Traceback" not in err
    assert lake.read(SESSIONS).count() == 2
