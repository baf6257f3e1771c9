"""The graph that the contracts imply."""

import pytest

from ulm_spark.config.errors import ConfigError
from ulm_spark.contracts.table import Column, Table
from ulm_spark.pipeline.graph import STREAMED, job_names, render_graph, render_mermaid, select_jobs, upstream


def table(name: str, writer: str, *readers: str) -> Table:
    return Table(
        name=name, grain="One.", key=("a",), columns=(Column("a", "INT", "A"),), writer=writer, readers=readers
    )


def test_a_job_comes_after_those_it_reads_from() -> None:
    tables = (table("gold.c", "third"), table("gold.b", "second", "third"), table("gold.a", "first", "second"))
    assert job_names(tables) == ("first", "second", "third")


def test_a_circle_is_refused() -> None:
    with pytest.raises(ConfigError, match="circle"):
        job_names((table("gold.a", "one", "two"), table("gold.b", "two", "one")))


def test_from_takes_a_job_and_all_that_depend_on_it() -> None:
    jobs = select_jobs((), "train_churn")
    assert jobs[0] == "train_churn"
    assert "score_churn" in jobs
    assert "build_report" in jobs
    assert "ingest_events" not in jobs


def test_a_job_that_is_left_out_takes_none_of_those_with_it_that_depend_on_it() -> None:
    jobs = select_jobs((), "sessionize", ("sessionize", "build_user_features"))
    assert not {"sessionize", "build_user_features"} & {*jobs}
    assert "segment_users" in jobs
    assert len(select_jobs((), None, STREAMED)) == len(job_names()) - 2


def test_a_name_that_is_no_job_is_refused() -> None:
    with pytest.raises(ConfigError, match="sessionise"):
        select_jobs(("sessionise",), None)
    with pytest.raises(ConfigError, match="sessionise"):
        select_jobs((), None, ("sessionise",))


def test_ingest_comes_first_and_the_report_and_the_care_of_files_last() -> None:
    assert job_names()[0] == "ingest_events"
    assert job_names()[-2:] == ("build_report", "maintain_lake")


def test_every_job_is_drawn_with_its_arrows() -> None:
    assert all(job in render_graph() for job in job_names())
    assert f"  {sorted(upstream('sessionize'))[0]} --> sessionize" in render_mermaid()
