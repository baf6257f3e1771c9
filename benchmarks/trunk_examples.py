"""Questions of benchmarks.shared_trunk with their answers, from the files of benchmarks.trunk_shops.

What is known at the end of a day is all events before it. Of a day each user is asked once at its end (day questions),
and once at one event, drawn by a hash, of the horizon after it (visit questions). Items that no one had touched by the
judged day have no number and are left out of what a model sees, not of the answers.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.pinned import pin
from benchmarks.trunk_shops import CHURN, FEATURES, HISTORIES, SHOP
from ulm_spark.sequence.conf import TrainingConf
from ulm_spark.sequence.facts import facts_of
from ulm_spark.sequence.learning_conf import HeadsConf
from ulm_spark.sequence.queries import Queries, answer_queries
from ulm_spark.sequence.rows import DAY_S, PURCHASE_CODE, Bools, Float32s, Int64s, NumberT, Rows, pad_flat, times_of
from ulm_spark.sequence.snapshot import SCHEMA, Manifest

MOST_EVENTS = 2000  # of a user are looked at, the last ones
FACT_EVENTS = 500
N_FILES = 8
_LISTS = ("item_indices", "event_codes", "gap_seconds", "amounts")


@dataclass(frozen=True)
class Shop:
    """A shop with all its events. ends_s: end of each label day, then of the judged one and of the last day known."""

    name: str
    users: NDArray[np.object_]
    whole: Rows
    n_items: int
    max_length: int
    horizon_days: int
    active_days: int
    visit_gap_s: int
    label_days: tuple[str, ...]
    ends_s: dict[str, int]
    features: pd.DataFrame
    churn: pd.DataFrame

    @property
    def judged_on(self) -> str:
        """The day whose users are asked about."""
        return self.label_days[-1]

    @property
    def known_until_s(self) -> int:
        """End of the judged day: what comes later is not learned from."""
        return self.ends_s[self.judged_on]

    @property
    def has_visits(self) -> bool:
        """True where events tell more of a visit than that something was bought."""
        return len(np.unique(self.whole.codes[self.whole.is_item])) > 1

    def is_active(self, day: str, user: Int64s) -> Bools:
        """True for users who had bought in the active_days that end with a day, as gold.user_features knows."""
        recency = day_features(self, day, user, ["recency_days"]).to_numpy()[:, 0]
        return np.asarray(recency < self.active_days)


@dataclass(frozen=True)
class Asked:
    """One question of each of n users. rows: what is known. user: [n], places in the shop's users. queries: of the last
    place of each row."""

    rows: Rows
    user: Int64s
    queries: Queries


def read_shop(folder: Path) -> Shop:
    """The shop in a folder, its items numbered by falling count of events before the judged day ends."""
    told = json.loads((folder / SHOP).read_text(encoding="utf-8"))
    frame = pd.read_parquet(folder / HISTORIES).sort_values("user_id", ignore_index=True)
    items, codes, gaps = (_padded(frame[name], np.int64) for name in _LISTS[:3])
    amounts = _padded(frame["amounts"], np.float32)
    last_s = frame["last_event_at"].to_numpy("datetime64[s]").astype(np.int64)
    at_s = np.where(items > 0, times_of(gaps, last_s), 0)
    known_until_s = told["ends_s"][told["judged_on"]]
    counts = np.bincount(items[at_s < known_until_s], minlength=int(items.max()) + 1)
    counts[0] = 0  # padding's
    order = 1 + np.argsort(-counts[1:], kind="stable")  # the new ones behind the known
    number = np.zeros(len(counts), np.int64)
    number[order] = np.arange(1, len(counts))
    numbered = np.where(items > 0, number[items], 0).astype(np.int32)
    keys = pd.util.hash_array(frame["user_id"].to_numpy(object)) >> np.uint64(1)
    whole = Rows(keys, numbered, codes.astype(np.int32), at_s, amounts)
    days = tuple(sorted(day for day in told["ends_s"] if day <= told["judged_on"]))
    return Shop(
        folder.name,
        frame["user_id"].to_numpy(object),
        whole,
        int((counts > 0).sum()),
        told["max_length"],
        told["horizon_days"],
        told["active_days"],
        told["visit_gap_s"],
        days,
        told["ends_s"],
        pd.read_parquet(folder / FEATURES),
        pd.read_parquet(folder / CHURN),
    )


def _padded(column: "pd.Series[object]", kind: type[NumberT]) -> NDArray[NumberT]:
    lengths = column.map(len).to_numpy(np.int64)
    return pad_flat(np.concatenate(list(column)).astype(kind), lengths, MOST_EVENTS)


def ask_day(shop: Shop, day: str) -> Asked:
    """What is asked at the end of a day of every user with an event by then."""
    end_s = shop.ends_s[day]
    n_before = (shop.whole.is_item & (shop.whole.at_s < end_s)).sum(axis=1)
    return _asked(shop, n_before, np.full(len(n_before), end_s), day)


def ask_visits(shop: Shop, day: str) -> Asked:
    """What is asked at one event of the horizon after a day, of every user with such an event."""
    begins_s, whole = shop.ends_s[day], shop.whole
    is_item = whole.is_item
    n_before = (is_item & (whole.at_s < begins_s)).sum(axis=1)
    n_within = (is_item & (whole.at_s < begins_s + shop.horizon_days * DAY_S)).sum(axis=1) - n_before
    drawn = ((whole.user_key >> np.uint64(7)) % np.maximum(n_within, 1).astype(np.uint64)).astype(np.int64)
    n_known = np.where(n_within > 0, n_before + drawn + 1, 0)
    first = MOST_EVENTS - is_item.sum(axis=1)
    last = np.minimum(first + n_known, MOST_EVENTS) - 1
    now_s = whole.at_s[np.arange(len(whole)), np.maximum(last, 0)]
    n_known = np.where(n_known > 0, (is_item & (whole.at_s <= now_s[:, None])).sum(axis=1), 0)
    return _asked(shop, n_known, now_s, day)


def _asked(shop: Shop, n_known: Int64s, now_s: Int64s, day: str) -> Asked:
    """Users with an event that is known, their answers as all events up to the horizon's end tell them."""
    ends_s = shop.ends_s[day] + shop.horizon_days * DAY_S
    whole = shop.whole
    until = replace_events(whole, whole.is_item & (whole.at_s < ends_s))
    place = MOST_EVENTS - until.is_item.sum(axis=1) + n_known - 1
    known = np.arange(MOST_EVENTS)[None, :] <= place[:, None]
    is_named = (until.items > 0) & (until.items <= shop.n_items)
    seen = replace_events(until, known & is_named)
    user = np.flatnonzero((n_known > 0) & seen.is_item.any(axis=1))
    heads = HeadsConf(horizon_days=shop.horizon_days, visit_gap_s=shop.visit_gap_s, fact_events=FACT_EVENTS)
    row, at_s = user, now_s[user]
    truth = answer_queries(until, row, place[user], at_s, heads, ends_s)
    elapsed_s = at_s - seen.at_s[user, -1]
    numbers = np.arange(len(user), dtype=np.int32)
    facts = facts_of(seen, user.astype(np.int32), np.full(len(user), MOST_EVENTS - 1, np.int32), elapsed_s, FACT_EVENTS)
    rows, last = seen.last(shop.max_length).take(user), np.full(len(user), shop.max_length - 1, np.int32)
    return Asked(rows, user, replace(truth, row=numbers, place=last, elapsed_s=elapsed_s, facts=facts))


def replace_events(rows: Rows, is_kept: Bools) -> Rows:
    """The events that are kept, padded anew on the left."""
    order = np.argsort(is_kept, axis=1, kind="stable")
    moved = np.take_along_axis(is_kept, order, axis=1)

    def left(values: NDArray[np.generic]) -> NDArray[np.generic]:
        return np.where(moved, np.take_along_axis(values, order, axis=1), np.zeros((), values.dtype))

    return Rows(rows.user_key, left(rows.items), left(rows.codes), left(rows.at_s), left(rows.amounts))


def day_features(shop: Shop, day: str, user: Int64s, names: Sequence[str]) -> pd.DataFrame:
    """gold.user_features' columns of a day for these users, in their order."""
    of_day = shop.features[shop.features["as_of"].astype(str) == day].set_index("user_id")
    return of_day.reindex(shop.users[user])[list(names)].astype(np.float64)


def paid_by_period(shop: Shop, user: Int64s) -> NDArray[np.float64]:
    """What users paid in each horizon_days up to the judged day: [n, periods], NaN before their first event."""
    whole = shop.whole.take(user)
    is_known = whole.is_item & (whole.at_s < shop.known_until_s)
    ago = (shop.known_until_s - 1 - whole.at_s) // (shop.horizon_days * DAY_S)
    n_periods = int(ago[is_known].max()) + 1
    is_paid = is_known & (whole.codes == PURCHASE_CODE)
    row, place = np.nonzero(is_paid)
    paid = np.zeros((len(user), n_periods))
    np.add.at(paid, (row, n_periods - 1 - ago[row, place]), whole.amounts[row, place])
    first = n_periods - 1 - np.where(is_known, ago, -1).max(axis=1)
    return np.where(np.arange(n_periods) < first[:, None], np.nan, paid)


def next_item_rows(shop: Shop) -> Rows:
    """Histories that end with the first instant after the judged day, whose items are to be named."""
    whole, end_s = shop.whole, shop.known_until_s
    is_later = whole.is_item & (whole.at_s >= end_s)
    next_s = np.where(is_later, whole.at_s, np.iinfo(np.int64).max).min(axis=1)
    known = whole.is_item & (whole.items <= shop.n_items)
    rows = replace_events(whole, known & (whole.at_s <= next_s[:, None]))
    is_asked = (rows.at_s[:, -1] >= end_s) & (rows.is_item & (rows.at_s < end_s)).any(axis=1)
    return rows.last(shop.max_length + 1).take(np.flatnonzero(is_asked))


def write_manifest(
    shop: Shop, conf: TrainingConf, folder: Path, begin_from: str = ""
) -> tuple[Manifest, tuple[str, ...]]:
    """The rows up to the judged day, as pinned files in folder, and the vocabulary."""
    whole = shop.whole
    is_known = whole.is_item & (whole.at_s < shop.known_until_s) & (whole.items <= shop.n_items)
    rows = replace_events(whole, is_known).last(conf.read_length)
    users = np.flatnonzero(rows.is_item.any(axis=1))
    parts = [_table(shop, rows.take(part), part) for part in np.array_split(users, N_FILES)]
    return pin(shop.name, shop.judged_on, shop.known_until_s, parts, shop.n_items, conf, folder, begin_from)


def _table(shop: Shop, rows: Rows, users: Int64s) -> pa.Table:
    is_item, gaps = rows.is_item, rows.gaps()

    def lists(values: NDArray[np.generic] | Float32s) -> list[NDArray[np.generic]]:
        return [row[kept] for row, kept in zip(values, is_item, strict=True)]

    last = [datetime.fromtimestamp(int(at_s), UTC) for at_s in rows.at_s[:, -1]]
    columns = [shop.users[users], *map(lists, (rows.items, rows.codes, gaps, rows.amounts.astype(np.float64))), last]
    return pa.table(dict(zip(SCHEMA.names, columns, strict=True)), schema=SCHEMA)
