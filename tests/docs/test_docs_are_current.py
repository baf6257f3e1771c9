"""The generated pages say what contracts and docstrings say."""

import subprocess
import sys
from pathlib import Path

import pytest

from ulm_spark.contracts.tables import TABLES

ROOT = Path(__file__).resolve().parents[2]


def build_docs(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "build_docs.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    docs = tmp_path_factory.mktemp("docs")
    assert build_docs("--docs", str(docs)).returncode == 0
    return docs


def test_the_pages_in_docs_are_current() -> None:
    checked = build_docs("--check")
    assert checked.returncode == 0, checked.stderr


def test_every_table_and_every_job_has_a_page(fresh: Path) -> None:
    jobs = {path.stem for path in (ROOT / "jobs").glob("*.py")} - {"__init__"}
    assert {path.stem for path in (fresh / "jobs").glob("*.md")} == jobs | {"README"}
    assert {path.stem for path in (fresh / "tables").glob("*.md")} == {table.name for table in TABLES} | {"README"}


def test_a_page_names_every_column_with_its_meaning(fresh: Path) -> None:
    for table in TABLES:
        page = (fresh / "tables" / f"{table.name}.md").read_text("utf-8")
        for column in table.columns:
            assert f"`{column.name}`" in page
            assert column.meaning.replace("|", "\\|") in page


def test_links_between_pages_lead_to_pages(fresh: Path) -> None:
    for page in fresh.glob("*/*.md"):
        for target in page.read_text("utf-8").split("](")[1:]:
            assert (page.parent / target.split(")")[0]).exists(), f"{page.name}: {target.split(')')[0]}"


def test_check_names_a_changed_an_absent_and_a_left_over_page(fresh: Path) -> None:
    (fresh / "tables" / "silver.events.md").write_text("changed", "utf-8")
    (fresh / "tables" / "gold.funnel.md").unlink()
    (fresh / "jobs" / "no_such_job.md").write_text("left over", "utf-8")
    checked = build_docs("--check", "--docs", str(fresh))
    assert checked.returncode == 1
    for name in ("tables/silver.events.md", "tables/gold.funnel.md", "jobs/no_such_job.md"):
        assert f"docs/{name}" in checked.stderr
    assert build_docs("--docs", str(fresh)).returncode == 0
    assert build_docs("--check", "--docs", str(fresh)).returncode == 0
