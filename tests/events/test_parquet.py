from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from tests.events.ingesting import MemoryLedger, ingest
from ulm_spark.config.errors import SourceError
from ulm_spark.contracts.bronze import RAW_EVENTS
from ulm_spark.contracts.silver import EVENTS


def test_parquet_rows_become_events_with_their_exact_times(spark: SparkSession, tmp_path: Path) -> None:
    at = datetime(2024, 5, 1, 10, 0, 0, 123456, tzinfo=UTC)
    table = {
        "event_at": [at, at],
        "event_type": ["purchase", "search"],
        "product_id": ["p1", None],
        "unit_price": [2.5, None],
        "quantity": [3, None],
        "order_id": ["o1", None],
        "other": [1, 2],
    }
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    ledger = ingest(MemoryLedger(spark), tmp_path, "native_parquet")
    assert ledger.column(RAW_EVENTS, "source_line") == [1, 2]
    assert '"other":1' in str(ledger.column(RAW_EVENTS, "line")[0])
    micros = ledger.read(EVENTS).selectExpr("unix_micros(event_at)").distinct().collect()
    assert [row[0] for row in micros] == [int(at.timestamp()) * 1_000_000 + 123456]
    assert sorted(map(str, ledger.column(EVENTS, "quantity"))) == ["3", "None"]


def test_a_parquet_file_without_a_needed_column_is_named(spark: SparkSession, tmp_path: Path) -> None:
    pq.write_table(pa.table({"event_at": ["2024-05-01"]}), tmp_path / "a.parquet")
    with pytest.raises(SourceError, match=r"a\.parquet: found columns event_at: missing event_type"):
        ingest(MemoryLedger(spark), tmp_path, "native_parquet")


@pytest.mark.parametrize("place", ["footer", "page"])
def test_a_damaged_parquet_file_is_named_and_leaves_nothing_behind(
    spark: SparkSession, tmp_path: Path, place: str
) -> None:
    path = tmp_path / "a.parquet"
    n_rows = 2000
    table = pa.table({"event_at": ["2024-05-01"] * n_rows, "event_type": [f"search{i}" for i in range(n_rows)]})
    pq.write_table(table, path, compression="gzip")
    content = path.read_bytes()
    path.write_bytes(content[:-20] if place == "footer" else content[:100] + b"\xff" * 200 + content[300:])
    ledger = MemoryLedger(spark)
    with pytest.raises(SourceError, match=r"a\.parquet: found content that can't be read"):
        ingest(ledger, tmp_path, "native_parquet")
    assert not any(ledger.rows.values())
