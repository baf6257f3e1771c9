import hashlib
import json
from datetime import datetime
from decimal import Decimal

import pandas as pd

from tests.shop.conftest import Shop
from ulm_spark.contracts import truth
from ulm_spark.shop.disorder import MALFORMED


def _is_well_formed(line: bytes) -> bool:
    """An independent reader: what a strict ingest would keep."""
    try:
        row = json.loads(line.decode("utf-8"), parse_float=Decimal)
        datetime.fromisoformat(row["event_at"])
        price = row.get("unit_price", Decimal(0))
        return bool(row["event_id"] and row["event_type"]) and not isinstance(price, str) and price >= 0
    except (ValueError, KeyError):
        return False


def test_a_strict_reader_keeps_exactly_the_planted_events(shop: Shop) -> None:
    good = [line for line in map(bytes, shop.lines.line) if _is_well_formed(line)]
    ids = {json.loads(line)["event_id"] for line in good}
    events = shop.table(truth.EVENTS)
    assert events.event_id.is_unique
    assert {event_id for event_id in ids if not event_id.startswith("l")} == set(events.event_id)


def test_each_kind_of_disorder_is_counted_exactly(shop: Shop) -> None:
    anomalies = shop.table(truth.ANOMALIES)
    counts = anomalies.kind.value_counts()
    lines = [bytes(line) for line in shop.lines.line]
    assert sum(not _is_well_formed(line) for line in lines) == counts[list(MALFORMED)].sum()
    assert all(counts[kind] >= 10 for kind in (*MALFORMED, "late", "out_of_order", "duplicate", "resent"))
    n_events = len(shop.table(truth.EVENTS)) + shop.conf.n_items
    n_extra = counts.drop(["late", "out_of_order"]).sum()
    assert len(lines) == n_events + n_extra
    by_bytes = pd.Series(lines).value_counts()
    assert (by_bytes == 2).sum() == counts["duplicate"]
    assert by_bytes.max() == 2


def test_malformed_lines_are_what_their_kind_says(shop: Shop) -> None:
    by_kind = {kind: [bytes(line) for line in rows.line] for kind, rows in shop.lines.groupby("kind")}
    assert all(b"\xff" in line for line in by_kind["not_utf8"])
    assert all(b'"event_at":"20111-' in line for line in by_kind["impossible_date"])
    assert all(b'"event_at"' not in line for line in by_kind["missing_event_at"])
    assert all(b'"event_type"' not in line for line in by_kind["missing_event_type"])
    assert all(json.loads(line)["unit_price"] < 0 for line in by_kind["negative_price"])
    assert all(json.loads(line)["unit_price"] == "twelve" for line in by_kind["wrong_type"])
    assert all(not line.endswith(b"}") for line in by_kind["broken_json"])
    assert not any(b"\n" in bytes(line) for line in shop.lines.line)


def test_anomalies_name_the_bytes_of_their_line(shop: Shop) -> None:
    hashes = {hashlib.sha256(bytes(line)).hexdigest() for line in shop.lines.line}
    assert set(shop.table(truth.ANOMALIES).line_sha256) <= hashes


def test_events_arrive_as_late_as_their_kind_says(shop: Shop) -> None:
    events = shop.table(truth.EVENTS).set_index("event_id")
    delay_s = (events.received_at - events.event_at).dt.total_seconds()
    anomalies = shop.table(truth.ANOMALIES)
    late = delay_s[anomalies[anomalies.kind == "late"].event_id]
    overtaken = delay_s[anomalies[anomalies.kind == "out_of_order"].event_id]
    usual = delay_s.drop([*late.index, *overtaken.index])
    assert late.between(86_400, 5 * 86_400).all()
    assert overtaken.between(60, 20 * 60).all()
    assert usual.between(0, 3).all()
    assert abs(len(late) / len(events) - 0.01) < 0.003
    assert events.received_at.dt.date.max() == shop.conf.ends_on
