"""Which rows become events, and which reason the others get."""

import gzip
import os
import random
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from tests.events.ingesting import HEADER, MemoryLedger, ingest, small_shop
from ulm_spark.config.errors import ConfigError, SourceError
from ulm_spark.contracts.bronze import INGESTED_FILES, QUARANTINE, RAW_EVENTS
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.contracts.table import Table
from ulm_spark.events.adapter import Rule

_GOOD = "2024-05-01 10:00:00,purchase,u1,p1,2.50,3,o1"


def ingest_lines(spark: SparkSession, folder: Path, *lines: str, **changes: object) -> MemoryLedger:
    (folder / "a.csv").write_text(HEADER + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return ingest(MemoryLedger(spark), folder, small_shop(**changes))


def test_each_broken_rule_gives_its_reason_and_nothing_is_lost(spark: SparkSession, tmp_path: Path) -> None:
    lines = {
        _GOOD: None,
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
        f"{_GOOD} ": "own",
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
    times = ("2024-07-01 00:30:00", "2024-07-01T00:30:00.250Z", "2024-07-01 00:30:00 UTC", "2024-07-01 00:30:00+09:00")
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
    micros = ["2024-06-30 23:30:00", "2024-07-01 00:30:00.25", "2024-07-01 00:30:00", "2024-06-30 15:30:00"]
    utc = [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in micros]
    assert read_otherwise.of_file("times.csv", EVENTS, "event_at") == utc
    assert read_otherwise.of_file("times.csv", EVENTS, "event_on") == [date(2024, 6, 30)] * 4


_NOT_UTF8 = b"2024-05-01 10:00:00,view,u1,p\xff1,,,"


@pytest.fixture(scope="module")
def read_plainly(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> MemoryLedger:
    """Four files of a shop without any peculiarity, with rows of their own."""
    folder = tmp_path_factory.mktemp("plainly")
    lines = {
        "bytes.csv": HEADER.encode() + _NOT_UTF8 + b"\n" + b"2024-05-01 10:00:00,view,u1,p1,,,\n",
        "columns.csv": f"{HEADER}{_GOOD}\n".encode(),
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
    ledger = ingest_lines(spark, tmp_path, _GOOD, _GOOD, "2024-05-01,view,u1,p1,,,")
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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fields": {"event_at": "nonesuch", "event_type": "kind"}}, r"small_shop\.yaml: fields\.event_at: .*refuses"),
        ({"fields": {"event_at": "at AT (", "event_type": "kind"}}, r"small_shop\.yaml: fields\.event_at"),
        ({"rules": (Rule("mine", "price <", ""),)}, r"small_shop\.yaml: rules\.mine\.when"),
        (
            {"fields": {"event_at": "at", "event_type": "kind", "attributes": "sku"}},
            r"fields\.attributes: .*type string",
        ),
        (
            {"fields": {"event_at": "at", "event_type": "kind", "quantity": "CAST(n AS INT)"}},
            r"fails on a row.*TRY_CAST",
        ),
    ],
)
def test_a_wrong_expression_is_named_and_leaves_nothing_behind(
    spark: SparkSession, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    (tmp_path / "a.csv").write_text(HEADER + "2024-05-01,view,u1,p1,,many,\n")
    ledger = MemoryLedger(spark)
    with pytest.raises(ConfigError, match=message):
        ingest(ledger, tmp_path, small_shop(**changes))
    assert not any(ledger.rows.values())


def test_an_empty_folder_names_the_path_and_the_pattern(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=rf"no file in {tmp_path}.*\*\.csv or \*\.csv\.gz"):
        ingest(MemoryLedger(spark), tmp_path, small_shop())
    with pytest.raises(SourceError, match="no file in"):
        ingest(MemoryLedger(spark), tmp_path / "absent", small_shop())


def test_a_file_of_another_shape_stops_the_job_or_goes_to_quarantine_whole(spark: SparkSession, tmp_path: Path) -> None:
    bad = {"names.csv": "at,kind,user,sku,n,order", "separator.csv": HEADER.replace(",", ";").strip()}
    ledger = MemoryLedger(spark)
    for name, header in bad.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_text(f"{header}\n{_GOOD}\n")
        (folder / "good.csv").write_text(f"{HEADER}{_GOOD}\n")
        with pytest.raises(SourceError, match=rf"{name}: found columns at"):
            ingest(ledger, folder, small_shop())
    assert not any(ledger.rows.values())
    (tmp_path / "names.csv" / "separator.csv").write_bytes((tmp_path / "separator.csv" / "separator.csv").read_bytes())
    ingest(ledger, tmp_path / "names.csv", small_shop(), on_bad_file="quarantine")
    for name in bad:
        assert ledger.of_file(name, QUARANTINE, "reason") == ["bad_header", "bad_header"]
    assert ledger.column(EVENTS, "source_file") == ["good.csv"]


@pytest.mark.parametrize("n_bytes_cut", [1, 40_000])
def test_a_truncated_gzip_is_named_and_leaves_nothing_behind(
    spark: SparkSession, tmp_path: Path, n_bytes_cut: int
) -> None:
    noise = random.Random(0)
    lines = "".join(f"2024-05-01,view,u{noise.random()},p{noise.random()},,,\n" for _ in range(6000))
    whole = gzip.compress((HEADER + lines).encode())
    (tmp_path / "a.csv").write_text(f"{HEADER}{_GOOD}\n")
    (tmp_path / "z.csv.gz").write_bytes(whole[:-n_bytes_cut])
    ledger = MemoryLedger(spark)
    with pytest.raises(SourceError, match=r"z\.csv\.gz: found content that can't be read") as raised:
        ingest(ledger, tmp_path, small_shop())
    assert "\n" not in str(raised.value)
    assert not any(ledger.rows.values())


def test_a_batch_that_was_left_unfinished_is_begun_again(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"{HEADER}{_GOOD}\n{_GOOD}\nbroken\n")
    whole = ingest(MemoryLedger(spark), tmp_path, small_shop())
    order = (RAW_EVENTS, QUARANTINE, EVENTS, INGESTED_FILES)
    for n_written in range(1, len(order)):
        ledger = MemoryLedger(spark)
        ledger.rows = {table.name: list(whole.rows[table.name]) for table in order[:n_written]}
        ledger.batches_begun = whole.batches_begun
        assert ingest(ledger, tmp_path, small_shop()).snapshot() == whole.snapshot()


class _Killed(BaseException):
    """A process that is gone: nothing is taken back after it."""


class _KilledLedger(MemoryLedger):
    n_writes_left = 0

    def append(self, frame: DataFrame, table: Table) -> int:
        self._live_or_die()
        return super().append(frame, table)

    def delete(self, table: Table, condition: str) -> None:
        self._live_or_die()
        super().delete(table, condition)

    def _live_or_die(self) -> None:
        if not self.n_writes_left:
            raise _Killed
        self.n_writes_left -= 1


def test_a_run_killed_while_it_reads_files_again_is_begun_again(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"{HEADER}{_GOOD}\nbroken\n")
    old, changed = (ingest(MemoryLedger(spark), tmp_path, small_shop(), currency=code) for code in ("EUR", "USD"))
    for n_writes in (1, 3, 6):  # ops.ingested_files; two of the three tables; raw rows and quarantine anew
        killed = _KilledLedger(spark)
        killed.rows = {name: list(rows) for name, rows in old.rows.items()}
        killed.n_writes_left = n_writes
        with pytest.raises(_Killed):
            ingest(killed, tmp_path, small_shop(), currency="USD")
        ledger = MemoryLedger(spark)
        ledger.rows, ledger.batches_begun = killed.rows, killed.batches_begun
        assert ingest(ledger, tmp_path, small_shop(), currency="USD").snapshot() == changed.snapshot()


def test_a_second_run_writes_only_what_a_new_file_brings(spark: SparkSession, tmp_path: Path) -> None:
    ledger = ingest_lines(spark, tmp_path, _GOOD)
    before = ledger.snapshot()
    assert ingest(ledger, tmp_path, small_shop()).snapshot() == before
    (tmp_path / "a.csv").write_text(f"{HEADER}{_GOOD}\n2024-05-02,view,u1,p1,,,\n")
    os.utime(tmp_path / "a.csv", (1.8e9, 1.8e9))  # the file grew: its old row is known
    ingest(ledger, tmp_path, small_shop())
    assert ledger.reasons() == ["duplicate"]
    assert len(ledger.rows[EVENTS.name]) == 2
