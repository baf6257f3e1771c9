"""Columns that come and go with the years: kept where the adapter allows it, else told."""

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from tests.events.ingesting import HEADER, MemoryLedger, ingest, small_shop
from ulm_spark.config.errors import ConfigError
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.events.shape import describe_left_out, shape_of_csv, shape_of_json


def test_an_allowed_column_is_kept_in_attributes_and_another_is_told_once(spark: SparkSession, tmp_path: Path) -> None:
    shop = small_shop(evolves=("gift", "store"))
    old_header, row = HEADER.strip(), "2024-05-01,view,u1,p1,,,"
    (tmp_path / "dt=2024-05-01").mkdir()
    (tmp_path / "dt=2024-05-01" / "a.csv").write_text(f"{old_header}\n{row}\n")
    os.utime(tmp_path / "dt=2024-05-01" / "a.csv", (2e9, 2e9))  # received last
    (tmp_path / "b.csv").write_text(f"gift,{old_header},colour\nyes,{row},red\n,{row.replace('u1', 'u2')},red\n")
    (tmp_path / "c.csv").write_text(f"{old_header},colour,store\n{row.replace('u1', 'u3')},red, S 7 \n")
    ledger = ingest(MemoryLedger(spark), tmp_path, shop)
    users = dict(zip(ledger.column(EVENTS, "user_id"), ledger.column(EVENTS, "attributes"), strict=True))
    # What is new of a row that was known tells no second event.
    assert ledger.reasons() == ["duplicate"]
    assert {user: dict(said or {}) for user, said in users.items()} == {
        "u1": {"gift": "yes"},
        "u2": {},
        "u3": {"store": "S 7"},
    }
    assert len(ledger.noted) == 1
    assert "adapter small_shop does not name" in ledger.noted[0]
    assert ": colour (2 files). Add them to its evolves" in ledger.noted[0]


@pytest.mark.parametrize("form", ["json", "parquet"])
def test_a_new_key_is_kept_beside_the_attributes_that_the_adapter_maps(
    spark: SparkSession, tmp_path: Path, form: str
) -> None:
    fields = {"event_at": "at", "event_type": "'search'", "attributes": "map('gift', 'own')"}
    shop = small_shop(format=form, files=(f"*.{form}",), columns={"at": "STRING"}, fields=fields, evolves=("gift", "n"))
    rows = [{"at": "2024-05-01", "gift": "yes", "n": 7, "other": 1}]
    if form == "json":
        (tmp_path / "a.json").write_text("\n".join(map(json.dumps, rows)))
    else:
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    ledger = ingest(MemoryLedger(spark), tmp_path, shop)
    assert [dict(said) for said in ledger.column(EVENTS, "attributes")] == [{"gift": "own", "n": "7"}]  # type: ignore[call-overload]
    assert [": other. Add" in text for text in ledger.noted] == [True]


def test_nothing_is_told_of_files_that_have_only_what_the_adapter_names() -> None:
    shop = small_shop(evolves=("gift",))
    assert shape_of_csv(shop, HEADER.strip()).positions == (0, 1, 2, 3, 4, 5, 6, -1)
    shapes = [shape_of_csv(shop, f"gift,{HEADER.strip()}"), shape_of_json(shop, ['{"at": 1}', "[]", '{"cut'])]
    assert describe_left_out(shop, shapes) is None
    many = shape_of_json(shop, [json.dumps(dict.fromkeys(f"k{n:02}" for n in range(25)))])
    assert "k19 and 5 more. Add" in str(describe_left_out(shop, [many]))


def test_a_column_is_read_always_or_newly_and_not_both() -> None:
    with pytest.raises(
        ConfigError, match=r"small_shop\.yaml: evolves: found price; expected names that columns has not"
    ):
        small_shop(evolves=("price",))
