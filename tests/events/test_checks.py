"""Which rows become events, and which reason the others get."""

import random
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.events.ingesting import GOOD, HEADER, MemoryLedger, ingest, ingest_lines, small_shop
from ulm_spark.contracts.bronze import INGESTED_FILES, QUARANTINE, RAW_EVENTS
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.contracts.table import Table
from ulm_spark.events.adapter import Rule


def test_each_broken_rule_gives_its_reason_and_nothing_is_lost(spark: SparkSession, tmp_path: Path) -> None:
    lines = {
        GOOD: None,
        "2024-05-01 10:00:01,search,,,,,": None,
        "2024-05-01 10:00:02,purchase,,p1,0,1,o2": None,  # a guest's free item
        '2024-05-01 10:00:03,view,u1,"a ""quoted"", sku",,,': None,
        "2024-05-01 10:00:00,purchase,u1,p1,2.50,3": "unparseable",
        "2024-05-01 10:00:00,purchase,u1,p1,2.50,3,o1,more": "unparseable",
        '2024-05-01 10:00:00,purchase,u1,p1,2.50,3,"cut': "unparseable",
        ",view,u1,p1,,,": "missing_event_at",
        "20111-05-01 10:00:00,view,u1,p1,,,": "bad_event_at",
        "2924-05-01 10:00:00,view,u1,p1,,,": "bad_event_at",
        "294247-01-10T04:00:54Z,view,u1,p1,,,": "bad_event_at",
        f"2024-05-01 10:00:00{',' * 30_000}": "unparseable",
        "1989-12-31 23:59:59,view,u1,p1,,,": "bad_event_at",
        "2024-02-30 10:00:00,view,u1,p1,,,": "bad_event_at",
        "10:00,view,u1,p1,,,": "bad_event_at",
        "2024,view,u1,p1,,,": "bad_event_at",
        "yesterday,view,u1,p1,,,": "bad_event_at",
        "2024-05-01 10:00:00,,u1,p1,,,": "missing_event_type",
        "2024-05-01 10:00:00,wave,u1,p1,,,": "unknown_event_type",
        "2024-05-01 10:00:00,view,u1, ,,,": "missing_product",
        "2024-05-01 10:00:00,view,u1,p1,cheap,,": "bad_price",
        "2024-05-01 10:00:00,view,u1,p1,1e15,,": "bad_price",
        "2024-05-01 10:00:00,view,u1,p1,NaN,,": "bad_price",
        "2024-05-01 10:00:00,view,u1,p1,-0.01,,": "negative_price",
        "2024-05-01 10:00:00,purchase,u1,p1,,3,o1": "missing_price",
        "2024-05-01 10:00:00,cart,u1,p1,1,2.5,": "bad_quantity",
        "2024-05-01 10:00:00,cart,u1,p1,1,many,": "bad_quantity",
        "2024-05-01 10:00:00,cart,u1,p1,1,0,": "quantity_not_positive",
        "2024-05-01 10:00:00,return,u1,p1,1,-1,o1": "quantity_not_positive",
        "2024-05-01 10:00:00,cart,u1,p1,0.01,1000001,": "amount_too_large",
        "2024-05-01 10:00:00,purchase,u1,p1,1000,1000000,o1": "amount_too_large",
        "2024-05-01 10:00:00,view,u1,p1,1000000000,,": "amount_too_large",
        "2024-05-01 10:00:00,return,u1,p1,1,,o1": "missing_quantity",
        "2024-05-01 10:00:00,return,u1,p1,1,1,": "missing_order",
        f"{GOOD} ": "own",
        "x,wave,,,-1,0,": "bad_event_at",  # the first of several
    }
    own = Rule("own", "`order` = 'o1 '", "An order without a blank")
    ledger = ingest_lines(spark, tmp_path, *lines, rules=(own,), zone="Asia/Shanghai")
    found = dict(zip(ledger.column(QUARANTINE, "source_line"), ledger.reasons(), strict=True))
    assert [found.get(i) for i in range(2, len(lines) + 2)] == list(lines.values())
    assert ledger.n_in == len(lines)
    assert len(ledger.rows[EVENTS.name]) == 4
    details = ledger.column(QUARANTINE, "detail")
    assert not any(word in str(detail) for detail in details for word in ("cheap", "wave", "yesterday"))


_REVIEW = '{"event_at":"2024-05-01T10:00:00Z","event_type":"review","product_id":"p1",%s}'
_REVIEWS = {
    _REVIEW % '"rating":5.0': None,
    _REVIEW % '"rating":0': "bad_rating",
    _REVIEW % '"rating":"4.5"': "bad_rating",
    _REVIEW % '"currency":"euro"': "bad_currency",
    _REVIEW % '"currency":"usd","unit_price":1.10': None,
    _REVIEW % '"is_item":"perhaps"': "bad_is_item",
    _REVIEW % '"is_item":false': None,
    _REVIEW % '"attributes":{"a":"1","b":2}': None,
    _REVIEW % '"attributes":{}': None,
    _REVIEW % '"attributes":"a"': "bad_attributes",
    _REVIEW % '"attributes":[{"a":1}]': "bad_attributes",
    "{" + _REVIEW % '"rating":1': "unparseable",
    _REVIEW % '"rating":1' + " and more": "unparseable",
    _REVIEW % '"rating":1' + "," + _REVIEW % '"rating":2': "unparseable",
    _REVIEW % '"rating":1' + "],[" + _REVIEW % '"rating":2': "unparseable",
    _REVIEW % '"rating":1' + ",{}],[{}": "unparseable",
    _REVIEW % '"rating":1' + ',{"_last":1}] and more': "unparseable",
    "[]": "unparseable",
    "null": "unparseable",
    "{}": "missing_event_at",
}
_SEARCH = '{"event_id":"e1","event_at":"2024-05-01","event_type":"search","query":"%s","received_at":"%s"}\n'


@pytest.fixture(scope="module")
def read_as_json(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> MemoryLedger:
    """Two files of JSON: reviews, and two searches with one id."""
    folder = tmp_path_factory.mktemp("json")
    (folder / "reviews.json").write_text("\n".join(_REVIEWS))
    (folder / "searches.json").write_text(_SEARCH % ("late", "2024-05-03") + _SEARCH % ("early", "2024-05-02"))
    return ingest(MemoryLedger(spark), folder, "native_json")


def test_ratings_currencies_and_flags_are_checked(read_as_json: MemoryLedger) -> None:
    def said(table: Table, name: str) -> list[object]:
        return read_as_json.of_file("reviews.json", table, name)

    found = dict(zip(said(QUARANTINE, "source_line"), said(QUARANTINE, "reason"), strict=True))
    assert [found.get(i) for i in range(1, len(_REVIEWS) + 1)] == list(_REVIEWS.values())
    assert said(EVENTS, "rating") == [5, None, None, None, None]
    assert said(EVENTS, "currency") == [None, "USD", None, None, None]
    assert said(EVENTS, "is_item") == [True, True, False, True, True]
    assert [dict(kept or {}) for kept in said(EVENTS, "attributes")] == [{}, {}, {}, {"a": "1", "b": "2"}, {}]


def test_of_rows_with_one_event_id_the_one_received_first_stays(read_as_json: MemoryLedger) -> None:
    assert read_as_json.of_file("searches.json", EVENTS, "query") == ["early"]
    assert read_as_json.of_file("searches.json", QUARANTINE, "reason") == ["duplicate"]


@pytest.fixture(scope="module")
def read_otherwise(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> MemoryLedger:
    """Three files by an adapter that needs a user and reads Latin-1 and London's times, for a shop in New York."""
    folder = tmp_path_factory.mktemp("otherwise")
    users = "2024-05-01 10:00:00,view,,p1,,,\n2024-05-01 10:00:00,listing,,p1,9.99,,\n"
    times = (
        "2024-07-01 00:30:00",
        "2024-07-01T00:30:00.250Z",
        "2024-07-01 00:30:00 UTC",
        "2024-07-01 00:30:00+09:00",
        "2024-07-01 00:30:5+09:00",
        "2024-07-01 00:30:00.+09:00",
    )
    lines = {
        "encoding": "2024-05-01,view,u1,café,,,\r\n",
        "times": "".join(f"{time},search,u1,,,,\n" for time in times),
        "users": users,
    }
    for name, text in lines.items():
        (folder / f"{name}.csv").write_bytes((HEADER + text).encode("latin-1"))
    adapter = small_shop(needs_user=True, encoding="ISO-8859-1", zone="Europe/London")
    return ingest(MemoryLedger(spark), folder, adapter, zone="America/New_York")


def test_a_row_without_a_user_is_quarantined_where_the_adapter_needs_one(read_otherwise: MemoryLedger) -> None:
    assert read_otherwise.column(QUARANTINE, "source_file") == ["users.csv"]
    assert read_otherwise.reasons() == ["missing_user"]
    assert read_otherwise.of_file("users.csv", EVENTS, "event_type") == ["listing"]


def test_another_encoding_is_read_as_the_adapter_says(read_otherwise: MemoryLedger) -> None:
    assert read_otherwise.of_file("encoding.csv", EVENTS, "product_id") == ["café"]


def test_times_become_utc_and_the_day_is_the_shops(read_otherwise: MemoryLedger) -> None:
    micros = ["2024-06-30 23:30:00", "2024-07-01 00:30:00.25", "2024-07-01 00:30:00"]
    micros += ["2024-06-30 15:30:00", "2024-06-30 15:30:05", "2024-06-30 15:30:00"]
    utc = [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in micros]
    assert read_otherwise.of_file("times.csv", EVENTS, "event_at") == utc
    assert read_otherwise.of_file("times.csv", EVENTS, "event_on") == [date(2024, 6, 30)] * 6


_NOT_UTF8 = b"2024-05-01 10:00:00,view,u1,p\xff1,,,"


@pytest.fixture(scope="module")
def read_plainly(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> MemoryLedger:
    """Four files of a shop without any peculiarity, with rows of their own."""
    folder = tmp_path_factory.mktemp("plainly")
    lines = {
        "bytes.csv": HEADER.encode() + _NOT_UTF8 + b"\n" + b"2024-05-01 10:00:00,view,u1,p1,,,\n",
        "columns.csv": f"{HEADER}{GOOD}\n".encode(),
        "columns_moved.csv": b"new,order,n,price,sku,user,kind,at\nx,o1,3,2.50,p1,u1,purchase,2024-05-01 10:00:00\n",
        "prices.csv": f"{HEADER}2024-05-01,view,u1,p1,0.12345,,\n2024-05-01,view,u1,p2,,,\n".encode(),
    }
    for name, content in lines.items():
        (folder / name).write_bytes(content)
    return ingest(MemoryLedger(spark), folder, small_shop())


def test_a_byte_that_is_no_utf8_is_quarantined_with_its_bytes_kept(read_plainly: MemoryLedger) -> None:
    assert read_plainly.of_file("bytes.csv", QUARANTINE, "reason") == ["not_utf8"]
    assert read_plainly.of_file("bytes.csv", QUARANTINE, "line") == [_NOT_UTF8.decode(errors="replace")]
    assert read_plainly.of_file("bytes.csv", RAW_EVENTS, "line_bytes") == [_NOT_UTF8, None]


def test_prices_keep_four_decimals_and_the_shops_currency(read_plainly: MemoryLedger) -> None:
    assert read_plainly.of_file("prices.csv", EVENTS, "unit_price") == [Decimal("0.1235"), None]
    assert read_plainly.of_file("prices.csv", EVENTS, "currency") == ["EUR", None]


def test_columns_in_another_order_make_the_same_events(read_plainly: MemoryLedger) -> None:
    files = ("columns.csv", "columns_moved.csv")
    assert [len(read_plainly.of_file(name, RAW_EVENTS, "line")) for name in files] == [1, 1]
    assert [reason for name in files for reason in read_plainly.of_file(name, QUARANTINE, "reason")] == ["duplicate"]


def test_of_equal_rows_one_is_kept_and_a_file_given_twice_adds_nothing(spark: SparkSession, tmp_path: Path) -> None:
    ledger = ingest_lines(spark, tmp_path, GOOD, GOOD, "2024-05-01,view,u1,p1,,,")
    assert ledger.reasons() == ["duplicate"]
    first = ledger.column(EVENTS, "event_id")
    (tmp_path / "copy.csv").write_bytes((tmp_path / "a.csv").read_bytes())
    ingest(ledger, tmp_path, small_shop())
    assert ledger.reasons() == ["duplicate"] * 4
    assert ledger.column(EVENTS, "event_id") == first
    assert ledger.column(INGESTED_FILES, "n_rows") == [3, 3]


def test_events_do_not_depend_on_the_order_of_rows_and_files(spark: SparkSession, tmp_path: Path) -> None:
    seconds = [i % 40 for i in range(60)]
    lines = [f"2024-05-01 10:00:{s:02},view,u{s % 3},p{s % 5},{'x' if s % 11 == 0 else s},," for s in seconds]
    found = set()
    for seed in range(2):
        folder = tmp_path / str(seed)
        folder.mkdir()
        random.Random(seed).shuffle(lines)
        for i in range(3):
            (folder / f"{(i + seed) % 3}.csv").write_text(HEADER + "\n".join(lines[i::3]) + "\n")
        ledger = ingest(MemoryLedger(spark), folder, small_shop())
        found.add((frozenset(map(str, ledger.column(EVENTS, "event_id"))), tuple(sorted(map(str, ledger.reasons())))))
    assert len(found) == 1


def test_a_mapping_of_columns_needs_no_code(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "ordered;customer;sku;name;units;price;order_number\n"
        "2024-05-01 12:00:00;c1;a-1;Lamp; 2;12,50;77\n2024-05-01 12:00:00;test7;a-1;Lamp;2;12,50;78\n"
    )
    ledger = ingest(MemoryLedger(spark), tmp_path, "column_mapping")
    assert ledger.reasons() == ["test_order"]
    assert ledger.column(EVENTS, "unit_price") == [Decimal("12.5000")]
    assert ledger.column(EVENTS, "product_id") == ["A-1"]
