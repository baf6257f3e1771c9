"""What an ingest asks of the lake: the job hands it in, so that this room imports no other."""

from collections.abc import Sequence
from typing import Protocol

from pyspark.sql import DataFrame

from ulm_spark.contracts.table import Table


class Ledger(Protocol):
    """The lake, as far as an ingest uses it."""

    def read(self, table: Table) -> DataFrame:
        """The table as it is now."""
        ...

    def frame_of(self, columns: Table | str, rows: Sequence[Sequence[object]]) -> DataFrame:
        """Rows at hand in the order of a table's columns, or a DDL string's, as a frame."""
        ...

    def append(self, frame: DataFrame, table: Table) -> int:
        """Adds rows; gives how many the table got."""
        ...

    def rewrite(self, frame: DataFrame, table: Table) -> None:
        """Puts the frame in the place of all that the table holds."""
        ...

    def delete(self, table: Table, condition: str) -> None:
        """Deletes the rows that meet a SQL condition."""
        ...

    def begin(self, batch_ids: Sequence[str]) -> None:
        """Writes down, in place of what was written down before, which batches are about to be written."""
        ...

    def begun(self) -> list[str]:
        """The batches of the last begin, also where another run said it."""
        ...

    def count_in(self, n_rows: int) -> None:
        """Adds to the rows read."""
        ...

    def count_quarantined(self, n_rows: int) -> None:
        """Adds to the rows sent to quarantine."""
        ...

    def note(self, text: str) -> None:
        """Says, and records with the run, what it leaves out."""
        ...

    def progress(self, text: str) -> None:
        """Says how far the ingest is."""
        ...
