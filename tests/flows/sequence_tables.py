"""Histories in real Delta tables, as build_sequences leaves them."""

from datetime import date, datetime, timedelta
from pathlib import Path

from pyspark.sql import SparkSession

from tests.flows.settings import write_config
from tests.frames import rows_of, utc
from ulm_spark.contracts.sequences import ITEM_VOCABULARY, SEQUENCES
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.lake.store import Lake

AS_OF = date(2024, 3, 31)
N_ITEMS = 10
PURCHASE, VIEW = 6, 1
VERSION = "00c0ffee00c0ffee"


def product(index: int) -> str:
    return f"p{index:02d}"


def item(index: int) -> dict[str, object]:
    """A row of the vocabulary."""
    return {
        "as_of": AS_OF,
        "item_index": index,
        "product_id": product(index),
        "n_events": 9,
        "vocabulary_version": VERSION,
    }


def history(user: int) -> dict[str, object]:
    """Items in a ring, one an hour; each third event buys."""
    n_items = 2 + user % 5
    return {
        "as_of": AS_OF,
        "user_id": f"u{user:02d}",
        "n_items": n_items,
        "item_indices": [1 + (user + step) % N_ITEMS for step in range(n_items)],
        "event_codes": [PURCHASE if step % 3 == 0 else VIEW for step in range(n_items)],
        "gap_seconds": [0] + [3600] * (n_items - 1),
        "amounts": [7.5 if step % 3 == 0 else 0.0 for step in range(n_items)],
        "last_event_at": datetime.fromisoformat("2024-03-31T20:00:00+00:00") - timedelta(hours=user),
        "vocabulary_version": VERSION,
    }


def fill(spark: SparkSession, lake: Lake, n_users: int) -> None:
    """Vocabulary, sequences in four files, and the purchases as events; another day's slice beside them."""
    for table in (ITEM_VOCABULARY, SEQUENCES, EVENTS):
        lake.create(table)
    lake.append(rows_of(spark, ITEM_VOCABULARY, [item(index) for index in range(1, N_ITEMS + 1)]), ITEM_VOCABULARY)
    histories = [history(user) for user in range(n_users)]
    other_day = [{**row, "as_of": AS_OF - timedelta(days=1)} for row in histories[:3]]
    lake.append(rows_of(spark, SEQUENCES, [*histories, *other_day]).repartition(4, "user_id"), SEQUENCES)
    bought = [
        {"event_id": f"{row['user_id']}-{place}", "user_id": row["user_id"], "product_id": product(item)}
        for row in histories
        for place, (item, code) in enumerate(zip(row["item_indices"], row["event_codes"], strict=True))  # type: ignore[call-overload]
        if code == PURCHASE
    ]
    purchase = {"event_type": "purchase", "is_item": True, "event_on": AS_OF, "event_at": utc(f"{AS_OF} 12:00:00")}
    lake.append(rows_of(spark, EVENTS, [{**purchase, **row} for row in bought]), EVENTS)


def small_training(
    folder: Path, root: str = "", launcher: str = "inline", dropout: float = 0.2, max_epochs: int = 2
) -> Path:
    """A config in folder that trains in seconds; its lake is there too where root names no other place."""
    training = {
        "model": {"dim": 8, "max_length": 6, "dropout": dropout},
        "targets": {"n_events": 2},
        "launch": {"launcher": launcher},
        "batch_size": 8,
        "max_epochs": max_epochs,
        "patience": max_epochs,
        "top_n": 5,
    }
    return write_config(folder / "conf.yaml", {"lake": {"root": root or str(folder / "lake")}, "training": training})
