"""What a price means, whatever the source writes for its currency and unit."""

from decimal import Decimal
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from tests.events.ingesting import small_shop
from ulm_spark.config.errors import ConfigError
from ulm_spark.events.adapter import load_adapter
from ulm_spark.events.money import amount_of, currency_code
from ulm_spark.lake.literal import frame_of


def test_signs_and_old_names_become_codes_and_cents_become_amounts(spark: SparkSession) -> None:
    said = {
        ("€", "1250"): ("EUR", "12.5000"),
        ("rmb", "99"): ("CNY", "0.9900"),
        ("$", "10"): ("USD", "0.1000"),  # the adapter says so
        ("¥", "10"): ("¥", "0.1000"),  # nobody says which, so the row goes to quarantine
        ("jpy", "1250"): ("JPY", "1250.0000"),
        ("KWD", "1250"): ("KWD", "1.2500"),
        ("usd", "1.5"): ("USD", "0.0150"),
        ("usd", "cheap"): ("USD", None),
        (None, "7"): (None, "0.0700"),
    }
    frame = frame_of(spark, "code STRING, price STRING", list(said))
    code = currency_code(F.col("code"), {"$": "USD"})
    found = frame.select(code, amount_of(F.col("price"), code, is_minor=True)).collect()
    assert [tuple(row) for row in found] == [(c, Decimal(a) if a else None) for c, a in said.values()]


def test_aliases_are_read_from_the_adapter_and_must_be_codes(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text(
        "name: shop\nformat: csv\nfiles: ['*.csv']\ncolumns: [at, kind]\nfields: {event_at: at, event_type: kind}\n"
        "price_unit: minor\ncurrency_aliases: {$: USD}\n"
    )
    adapter = load_adapter(str(path))
    assert (adapter.price_unit, adapter.currency_aliases) == ("minor", {"$": "USD"})
    with pytest.raises(ConfigError, match=r"small_shop\.yaml: currency_aliases: found dollars; expected codes"):
        small_shop(currency_aliases={"$": "dollars"})
