"""What comes after an instant? Questions about a user at any time, with the answers that the sequence itself holds."""

from dataclasses import dataclass

import numpy as np

from ulm_spark.sequence.conf import HeadsConf
from ulm_spark.sequence.rows import DAY_S, PURCHASE_CODE, Bools, Float32s, Int32s, Int64s, Rows


@dataclass(frozen=True)
class Queries:
    """m questions: what follows the last event at or before an instant.

    row, place: [m] int32, that event. elapsed_s: [m] int64 from it to the instant. The answers, each with its weight,
    1 where it is known, else 0: next_code [m] int32 and until_next_s [m] int64, kind of the next event and time to it
    from the instant; is_gone [m] float32, 1 where nothing is bought within the horizon; value [m] float32, what is
    paid within it; is_buying [m] float32, 1 where the visit that the event belongs to goes on to a purchase.
    """

    row: Int32s
    place: Int32s
    elapsed_s: Int64s
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


def draw_queries(
    rows: Rows, is_kept: Bools, conf: HeadsConf, known_until_s: int, generator: np.random.Generator
) -> Queries:
    """n_queries instants of each row with an event, drawn evenly from its first event to known_until_s.

    In:   is_kept [n], False for rows of which nothing is asked, such as those with a part held out.
    Rule: half of the instants are those of events, where visits are open; the others any second. The outcome of an
          instant is known where the horizon ends by known_until_s; the next event where the sequence has one; how a
          visit ends where visit_gap_s has gone by since its last event by known_until_s.
    """
    chosen = np.flatnonzero(is_kept & rows.is_item.any(axis=1))
    row = np.repeat(chosen, conf.n_queries)
    at_s, place = _instants(rows, row, known_until_s, generator)
    later_s = rows.at_s[row] - at_s[:, None]  # of each event after the instant
    length = rows.items.shape[1]
    is_later = rows.is_item[row] & (np.arange(length) > place[:, None])
    is_bought = is_later & (rows.codes[row] == PURCHASE_CODE)
    is_within = is_bought & (later_s <= conf.horizon_days * DAY_S)
    has_next = place < length - 1
    following = np.minimum(place + 1, length - 1)
    is_buying, has_visit = _visits(rows, row, place, is_bought, conf.visit_gap_s, known_until_s)
    is_at_event = rows.at_s[row, place] == at_s
    return Queries(
        row.astype(np.int32),
        place.astype(np.int32),
        at_s - rows.at_s[row, place],
        np.where(has_next, rows.codes[row, following], 0).astype(np.int32),
        np.where(has_next, rows.at_s[row, following] - at_s, 0),
        has_next.astype(np.float32),
        (~is_within.any(axis=1)).astype(np.float32),
        np.where(is_within, rows.amounts[row], 0.0).sum(axis=1).astype(np.float32),
        (at_s + conf.horizon_days * DAY_S <= known_until_s).astype(np.float32),
        is_buying.astype(np.float32),
        (has_visit & is_at_event).astype(np.float32),
    )


def _instants(rows: Rows, row: Int64s, known_until_s: int, generator: np.random.Generator) -> tuple[Int64s, Int64s]:
    """(second, place of the last event at or before it) of each question."""
    length = rows.items.shape[1]
    n_events = rows.is_item[row].sum(axis=1)
    first_s = rows.at_s[row, length - n_events]
    any_s = first_s + np.floor(generator.random(len(row)) * (known_until_s - first_s)).astype(np.int64)
    drawn = length - n_events + np.floor(generator.random(len(row)) * n_events).astype(np.int64)
    at_s = np.where(generator.random(len(row)) < 0.5, rows.at_s[row, drawn], any_s)
    is_before = rows.is_item[row] & (rows.at_s[row] <= at_s[:, None])
    return at_s, length - n_events + is_before.sum(axis=1) - 1


def _visits(
    rows: Rows, row: Int64s, place: Int64s, is_bought: Bools, gap_s: int, known_until_s: int
) -> tuple[Bools, Bools]:
    """(a purchase follows in the visit of the place, the visit is known to have ended) of each question."""
    breaks = np.cumsum(rows.gaps()[row] > gap_s, axis=1)
    in_visit = breaks == np.take_along_axis(breaks, place[:, None], axis=1)
    last_s = np.where(in_visit & rows.is_item[row], rows.at_s[row], 0).max(axis=1)
    return (in_visit & is_bought).any(axis=1), last_s + gap_s <= known_until_s
