"""The contracts hold together."""

import pytest

from ulm_spark.contracts.ops import EVERY_JOB
from ulm_spark.contracts.table import Column, Table
from ulm_spark.contracts.tables import BY_NAME, TABLES

COLUMN = Column("a", "INT", "A number")


def test_every_table_has_its_own_name() -> None:
    assert len(BY_NAME) == len(TABLES)


def test_every_column_says_what_it_means() -> None:
    blank = [f"{t.name}.{c.name}" for t in TABLES for c in t.columns if not c.meaning.strip()]
    assert blank == []


def test_key_columns_are_never_null() -> None:
    nullable = [f"{t.name}.{c.name}" for t in TABLES for c in t.columns if c.name in t.key and c.nullable]
    assert nullable == []


def test_as_of_tables_are_partitioned_by_it() -> None:
    assert [t.name for t in TABLES if t.is_as_of and t.partition_by != ("as_of",) and t.writer != EVERY_JOB] == []


def test_money_columns_have_a_currency_beside_them() -> None:
    bare = [
        t.name for t in TABLES if any(c.type == "DECIMAL(18,4)" for c in t.columns) and "currency" not in t.column_names
    ]
    assert bare == []


def test_no_job_reads_the_truth() -> None:
    assert [t.name for t in TABLES if t.layer == "truth" and t.readers] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "sessions"},
        {"name": "iron.sessions"},
        {"key": ("b",)},
        {"columns": (COLUMN, COLUMN)},
        {"partition_by": ("a",), "cluster_by": ("a",)},
    ],
)
def test_a_contract_that_contradicts_itself_is_refused(wrong: dict[str, object]) -> None:
    right: dict[str, object] = {
        "name": "gold.x",
        "grain": "One row.",
        "key": ("a",),
        "columns": (COLUMN,),
        "writer": "w",
    }
    with pytest.raises(ValueError, match=r"."):
        Table(**{**right, **wrong})  # type: ignore[arg-type]
