"""An ingest without Delta: source files in a folder, tables in memory."""

from collections.abc import Sequence
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from ulm_spark.contracts.bronze import INGESTED_FILES, QUARANTINE, RAW_EVENTS
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.contracts.table import Table
from ulm_spark.events.adapter import SourceAdapter, load_adapter
from ulm_spark.events.batch import SourceConf
from ulm_spark.events.failures import explained_failures
from ulm_spark.events.intake import Reading, open_intake, take_back_unfinished, take_in
from ulm_spark.events.ledger import Ledger
from ulm_spark.lake.literal import frame_of

WRITTEN = (RAW_EVENTS, QUARANTINE, EVENTS, INGESTED_FILES)


class MemoryLedger:
    """Tables as lists of rows; a frame handed in is computed at once, as a write does."""

    def __init__(self, spark: SparkSession) -> None:
        self.spark = spark
        self.rows: dict[str, list[tuple[object, ...]]] = {}
        self.batches_begun: list[str] = []
        self.n_in = 0
        self.n_quarantined = 0
        self.said: list[str] = []
        self.noted: list[str] = []

    def read(self, table: Table) -> DataFrame:
        # One partition: a row a task would cost more than the test.
        return frame_of(self.spark, table, self.rows.get(table.name, [])).coalesce(1)

    def frame_of(self, columns: Table | str, rows: Sequence[Sequence[object]]) -> DataFrame:
        return frame_of(self.spark, columns, rows)

    def append(self, frame: DataFrame, table: Table) -> int:
        assert tuple(frame.columns) == table.column_names
        rows = _computed(frame)
        self.rows.setdefault(table.name, []).extend(rows)
        return len(rows)

    def rewrite(self, frame: DataFrame, table: Table) -> None:
        assert tuple(frame.columns) == table.column_names
        self.rows[table.name] = _computed(frame)

    def delete(self, table: Table, condition: str) -> None:
        self.rows[table.name] = _computed(self.read(table).where(~F.expr(condition)))

    def begin(self, batch_ids: Sequence[str]) -> None:
        self.batches_begun = list(batch_ids)

    def begun(self) -> list[str]:
        return self.batches_begun

    def count_in(self, n_rows: int) -> None:
        self.n_in += n_rows

    def count_quarantined(self, n_rows: int) -> None:
        self.n_quarantined += n_rows

    def note(self, text: str) -> None:
        self.noted.append(text)

    def progress(self, text: str) -> None:
        self.said.append(text)

    def column(self, table: Table, name: str) -> list[object]:
        """One column's values, in the order of source file and line where the table has them."""
        index = table.column_names.index
        rows = self.rows.get(table.name, [])
        if "source_line" in table.column_names:
            rows = sorted(rows, key=lambda row: (str(row[index("source_file")]), row[index("source_line")]))
        return [row[index(name)] for row in rows]

    def of_file(self, source_file: str, table: Table, name: str) -> list[object]:
        """One column's values of the rows that came from a file, in the order of its lines."""
        pairs = zip(self.column(table, "source_file"), self.column(table, name), strict=True)
        return [value for found, value in pairs if found == source_file]

    def reasons(self) -> list[object]:
        """Why rows are in quarantine."""
        return self.column(QUARANTINE, "reason")

    def snapshot(self) -> dict[str, list[str]]:
        """All tables, comparable whatever the order of their rows."""
        return {table.name: sorted(map(repr, self.rows.get(table.name, []))) for table in WRITTEN}


def _computed(frame: DataFrame) -> list[tuple[object, ...]]:
    # Through Arrow, there and back: instants keep their zone, and no Python worker starts.
    return [tuple(row.values()) for row in frame.toArrow().to_pylist()]


def ingest(
    ledger: MemoryLedger,
    folder: Path,
    adapter: SourceAdapter | str,
    on_bad_file: str = "stop",
    zone: str = "UTC",
    currency: str = "EUR",
    horizon_days: int = 0,
) -> MemoryLedger:
    """What the job does, over tables in memory; raw = kept + quarantined is asserted by take_in."""
    source = load_adapter(adapter) if isinstance(adapter, str) else adapter
    conf = SourceConf(source.name, str(folder), on_bad_file, horizon_days)  # type: ignore[arg-type]
    tables: Ledger = ledger
    with explained_failures(source):
        take_back_unfinished(tables)
        intake = open_intake(ledger.spark, conf, Reading(source, zone, currency), tables)
        if intake is not None:
            take_in(tables, intake)
    return ledger


def small_shop(**changes: object) -> SourceAdapter:
    """An adapter for CSV files with the columns at, kind, user, sku, price, n and order."""
    settings: dict[str, object] = {
        "name": "small_shop",
        "format": "csv",
        "files": ("*.csv", "*.csv.gz"),
        "columns": dict.fromkeys(("at", "kind", "user", "sku", "price", "n", "order"), "STRING"),
        "fields": {
            "event_at": "at",
            "event_type": "kind",
            "user_id": "user",
            "product_id": "sku",
            "unit_price": "price",
            "quantity": "n",
            "order_id": "`order`",
        },
        "path": "small_shop.yaml",
    }
    return SourceAdapter(**{**settings, **changes})  # type: ignore[arg-type]


HEADER = "at,kind,user,sku,price,n,order\n"
GOOD = "2024-05-01 10:00:00,purchase,u1,p1,2.50,3,o1"


def ingest_lines(spark: SparkSession, folder: Path, *lines: str, **changes: object) -> MemoryLedger:
    """What the job makes of one file with these lines; changes are of small_shop."""
    (folder / "a.csv").write_text(HEADER + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return ingest(MemoryLedger(spark), folder, small_shop(**changes))
