"""What comes after an instant? Questions about a user at any time, with the answers that the sequence itself holds."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from ulm_spark.sequence.facts import facts_of
from ulm_spark.sequence.learning_conf import HeadsConf
from ulm_spark.sequence.rows import DAY_S, PURCHASE_CODE, Bools, Float32s, Int32s, Int64s, Rows

_WHOLE = 0.5  # share of rows whose window is not cut


@dataclass(frozen=True)
class Queries:
    """m questions: what follows the last event at or before an instant.

    row, place: [m] int32, that event. elapsed_s: [m] int64 from it to the instant. facts: [m, N_FACTS] float32, of
    facts_of. The answers, each with its weight, 1 where it is known, else 0: next_code [m] int32 and until_next_s [m]
    int64, kind of the next event and time to it from the instant, or without one the time until which none came;
    is_gone [m] float32, 1 where nothing is bought within the horizon; value [m] float32, what is paid within it;
    is_buying [m] float32, 1 where the visit that the event belongs to goes on to a purchase.
    """

    row: Int32s
    place: Int32s
    elapsed_s: Int64s
    facts: Float32s
    next_code: Int32s
    until_next_s: Int64s
    has_next: Float32s
    is_gone: Float32s
    value: Float32s
    has_outcome: Float32s
    is_buying: Float32s
    has_visit: Float32s

    def __len__(self) -> int:
        return len(self.row)

    @classmethod
    def join(cls, parts: Sequence["Queries"]) -> "Queries":
        """All questions of one part or more, in order."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def draw_queries(
    rows: Rows, is_kept: Bools, conf: HeadsConf, length: int, known_until_s: int, generator: np.random.Generator
) -> tuple[Rows, Queries]:
    """What a model sees of each row, its last ``length`` events up to an instant, and n_queries questions of it.

    In:   rows that hold more events than a model sees and facts count; is_kept [n], False for rows of which nothing is
          asked, such as those with a part held out.
    Out:  windows [n, length], of rows of which nothing is asked their last events; the questions' places are the
          windows'.
    Rule: of half of the rows the window is their last events, so that the latest are learned from as well; of the
          others it ends with the last event before the first instant, which is drawn from the first event, or the last
          asked_days, to known_until_s. The other instants are drawn from the window's time. Half of them are those of
          events, where visits are open; the rest any second. Of these the outcome is known where the horizon ends by
          known_until_s; of all the next event where the sequence has one, and how a visit that is open ends where
          visit_gap_s has gone by since its last event by known_until_s.
    Edge: of a row that is full, whose first events are cut off, as many events as are looked at are only looked back
          to: a model that saw as many events as it can see at the end of rows alone would take many for the end. Where
          rows hold no more than that, nothing is asked of full ones.
    """
    n_events, seen = rows.is_item.sum(axis=1), max(length, conf.fact_events)
    is_full = n_events == rows.items.shape[1]
    rows = rows.trimmed()  # most are far from full
    n_places = rows.items.shape[1]
    first = np.where(is_full, min(seen, n_places) - 1, n_places - n_events)
    kept = np.flatnonzero(is_kept & (n_events > 0) & (~is_full | (n_places > seen)))
    since_s = known_until_s - conf.asked_days * DAY_S
    ends = np.full(len(rows), n_places - 1)
    until_s = np.full(len(kept), known_until_s)
    is_whole = generator.random(len(kept)) < _WHOLE
    begins = np.where(is_whole, np.maximum(first[kept], n_places - length), first[kept])
    one = _instants(rows, kept, begins, since_s, until_s, generator)
    ends[kept] = np.where(is_whole, n_places - 1, one.place)
    row = np.repeat(kept, conf.n_queries - 1)
    next_s = np.append(rows.at_s, np.zeros((len(rows), 1), np.int64), axis=1)[np.arange(len(rows)), ends + 1]
    until_s = np.where(ends + 1 < n_places, next_s, known_until_s)[row]
    begins = np.maximum(first, ends - length + 1)
    more = _instants(rows, row, begins[row], since_s, until_s, generator)
    row, place, at_s = np.append(kept, row), np.append(one.place, more.place), np.append(one.at_s, more.at_s)
    queries = answer_queries(rows, row, place, at_s, conf, known_until_s)
    windows = rows.until(np.arange(len(rows)), ends + 1, length)
    return windows, replace(
        queries,
        place=(place - ends[row] + length - 1).astype(np.int32),
        has_outcome=queries.has_outcome * np.append(one.is_any, more.is_any),
    )


def answer_queries(
    rows: Rows, row: Int64s, place: Int64s, at_s: Int64s, conf: HeadsConf, known_until_s: int
) -> Queries:
    """The questions at these instants, with the answers that the rows hold. In: row, place, at_s [m], as Queries'."""
    later_s = rows.at_s[row] - at_s[:, None]  # of each event after the instant
    n_places = rows.items.shape[1]
    is_later = rows.is_item[row] & (np.arange(n_places) > place[:, None])
    is_bought = is_later & (rows.codes[row] == PURCHASE_CODE)
    is_within = is_bought & (later_s <= conf.horizon_days * DAY_S)
    has_next = place < n_places - 1
    following = np.minimum(place + 1, n_places - 1)
    is_buying, has_visit = _visits(rows, row, place, is_bought, conf.visit_gap_s, known_until_s)
    elapsed_s = at_s - rows.at_s[row, place]
    asked = (row.astype(np.int32), place.astype(np.int32), elapsed_s)
    return Queries(
        *asked,
        facts_of(rows, *asked, conf.fact_events),
        np.where(has_next, rows.codes[row, following], 0).astype(np.int32),
        np.where(has_next, rows.at_s[row, following], known_until_s) - at_s,
        has_next.astype(np.float32),
        (~is_within.any(axis=1)).astype(np.float32),
        np.where(is_within, rows.amounts[row], 0.0).sum(axis=1).astype(np.float32),
        (at_s + conf.horizon_days * DAY_S <= known_until_s).astype(np.float32),
        is_buying.astype(np.float32),
        (has_visit & (elapsed_s <= conf.visit_gap_s)).astype(np.float32),
    )


def fixed_queries(
    rows: Rows, n_windows: int, conf: HeadsConf, length: int, known_until_s: int, seed: int
) -> tuple[Rows, Queries]:
    """n_windows windows of each row, a question of each: the same of a row whatever rows are beside it."""
    one, alone = replace(conf, n_queries=1), np.ones(1, bool)
    windows: list[Rows] = []
    parts: list[Queries] = []
    for number, key in enumerate(rows.user_key):
        drawn = np.random.default_rng((seed, int(key)))
        of_row = rows.take(np.full(n_windows, number))
        seen, queries = draw_queries(of_row, np.repeat(alone, n_windows), one, length, known_until_s, drawn)
        parts.append(replace(queries, row=queries.row + np.int32(number * n_windows)))
        windows.append(seen)
    if not parts:
        return draw_queries(rows, alone[:0], one, length, known_until_s, np.random.default_rng(seed))
    return Rows.join(windows, length), Queries.join(parts)


@dataclass(frozen=True)
class _Instants:
    """Seconds, and places of the last events at or before them. is_any: [m] bool, False for those of events."""

    at_s: Int64s
    place: Int64s
    is_any: Bools


def _instants(
    rows: Rows, row: Int64s, first: Int64s, since_s: int, until_s: Int64s, generator: np.random.Generator
) -> _Instants:
    """An instant of each question, from a row's event ``first``, but not before since_s, to until_s.

    Edge: until_s is the second of an event that is not meant any more, or the end of what is known. Where no event is
          meant, it is any second.
    """
    is_item, at_s, number = rows.is_item[row], rows.at_s[row], np.arange(len(row))
    first_s = np.maximum(at_s[number, first], since_s)
    is_meant = is_item & (np.arange(rows.items.shape[1]) >= first[:, None])
    is_meant &= (at_s >= first_s[:, None]) & (at_s < until_s[:, None])
    n_meant = is_meant.sum(axis=1)
    any_s = first_s + np.floor(generator.random(len(row)) * np.maximum(until_s - first_s, 1)).astype(np.int64)
    drawn = is_meant.argmax(axis=1) + np.floor(generator.random(len(row)) * n_meant).astype(np.int64)
    is_any = (generator.random(len(row)) >= 0.5) | (n_meant == 0)
    now_s = np.where(is_any, any_s, at_s[number, drawn])
    place = rows.items.shape[1] - 1 - (is_item & (at_s > now_s[:, None])).sum(axis=1)
    return _Instants(now_s, place, is_any)


def _visits(
    rows: Rows, row: Int64s, place: Int64s, is_bought: Bools, gap_s: int, known_until_s: int
) -> tuple[Bools, Bools]:
    """(a purchase follows in the visit of the place, the visit is known to have ended) of each question."""
    breaks = np.cumsum(rows.gaps()[row] > gap_s, axis=1)
    in_visit = breaks == np.take_along_axis(breaks, place[:, None], axis=1)
    last_s = np.where(in_visit & rows.is_item[row], rows.at_s[row], 0).max(axis=1)
    return (in_visit & is_bought).any(axis=1), last_s + gap_s <= known_until_s
