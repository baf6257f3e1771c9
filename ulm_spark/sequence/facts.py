"""What is plain to see in a history at an instant? Counts, money and times, which a state would have to learn."""

import numpy as np

from ulm_spark.sequence.rows import DAY_S, N_CODES, PURCHASE_CODE, Bools, Float32s, Int32s, Int64s, Rows

_HALF_HOUR_S = 1800
_COUNTED_S = (_HALF_HOUR_S, DAY_S, 7 * DAY_S, 30 * DAY_S, 90 * DAY_S, None)
_PAID_S = (7 * DAY_S, 30 * DAY_S, 90 * DAY_S, None)
_DAYS_S = (30 * DAY_S, 90 * DAY_S, None)
_N_TIMES = 7
N_FACTS = len(_COUNTED_S) * (N_CODES - 1) + len(_PAID_S) + len(_DAYS_S) + _N_TIMES
_CELLS_AT_ONCE = 1_000_000


def facts_of(rows: Rows, row: Int32s, place: Int32s, elapsed_s: Int64s, n_events: int) -> Float32s:
    """The facts at each of m instants, elapsed_s after the event at (row, place): [m, N_FACTS].

    Rule: of the last n_events events up to the place, each number x as log(1 + x). Events of each kind in the
          last half hour, 1, 7, 30 and 90 days, and ever; what was paid in 7, 30 and 90 days, and ever; UTC days with
          a purchase in 30 and 90 days, and ever. Then in days: since the last event, the last purchase and the
          first event; the last gap between days with a purchase and the mean of these gaps; the time since the last
          purchase over that mean; and what was paid a day with a purchase.
    Edge: 0 where there is no such event, gap or mean.
    """
    n_at_once = max(1, _CELLS_AT_ONCE // rows.items.shape[1])
    parts = [
        _facts(rows, row[start:][:n_at_once], place[start:][:n_at_once], elapsed_s[start:][:n_at_once], n_events)
        for start in range(0, len(row), n_at_once)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, N_FACTS), np.float32)


def _facts(rows: Rows, row: Int32s, place: Int32s, elapsed_s: Int64s, n_events: int) -> Float32s:
    slot = place[:, None] - np.arange(min(n_events, rows.items.shape[1]))[::-1]
    row_of, known = row[:, None], slot >= 0
    slot = np.maximum(slot, 0)
    known &= rows.is_item[row_of, slot]
    at_s, amounts = rows.at_s[row_of, slot], rows.amounts[row_of, slot]
    codes = np.where(known, rows.codes[row_of, slot], 0)
    now_s = rows.at_s[row, place] + elapsed_s
    ago_s = np.where(known, now_s[:, None] - at_s, 0)
    is_bought = codes == PURCHASE_CODE
    day = at_s // DAY_S
    opens_day = is_bought & (day > _latest_before(np.where(is_bought, day, -1)))
    columns: list[Int64s | Float32s] = []
    cell = np.arange(len(row))[:, None] * N_CODES + codes
    for span_s in _COUNTED_S:
        counted = np.bincount(cell[known & _within(ago_s, span_s)], minlength=len(row) * N_CODES)
        columns += list(counted.reshape(-1, N_CODES)[:, 1:].T)
    columns += [np.where(is_bought & _within(ago_s, span_s), amounts, 0).sum(axis=1) for span_s in _PAID_S]
    columns += [(opens_day & _within(ago_s, span_s)).sum(axis=1) for span_s in _DAYS_S]
    columns += _times(known, at_s, now_s, is_bought, opens_day)
    n_days = np.maximum(opens_day.sum(axis=1), 1)
    columns.append(np.where(is_bought, amounts, 0).sum(axis=1) / n_days)
    return np.asarray(np.log1p(np.maximum(np.stack(columns, axis=1), 0)), np.float32)


def _times(known: Bools, at_s: Int64s, now_s: Int64s, is_bought: Bools, opens_day: Bools) -> list[Float32s]:
    """In days: since the last event, the last purchase and the first event; last and mean gap; the overdue ratio."""
    far = np.iinfo(np.int64).max
    last_s = np.where(known, at_s, 0).max(axis=1)
    first_s = np.where(known, at_s, far).min(axis=1)
    bought_s, day_s = np.where(is_bought, at_s, 0).max(axis=1), np.where(opens_day, at_s, 0)
    has_bought = is_bought.any(axis=1)
    since_bought = np.where(has_bought, now_s - bought_s, 0) / DAY_S
    n_gaps = opens_day.sum(axis=1) - 1
    last_day_s = day_s.max(axis=1)
    first_day_s = np.where(opens_day, at_s, far).min(axis=1)
    before_s = np.where(at_s < last_day_s[:, None], day_s, 0).max(axis=1)
    last_gap = np.where(n_gaps > 0, last_day_s - before_s, 0) / DAY_S
    mean_gap = np.where(n_gaps > 0, last_day_s - first_day_s, 0) / DAY_S / np.maximum(n_gaps, 1)
    overdue = np.where(mean_gap > 0, since_bought / np.maximum(mean_gap, 1e-3), 0)
    times = ((now_s - last_s) / DAY_S, since_bought, (now_s - first_s) / DAY_S, last_gap, mean_gap, overdue)
    return [np.asarray(time, np.float32) for time in times]


def _within(ago_s: Int64s, span_s: int | None) -> Bools:
    return np.ones(ago_s.shape, bool) if span_s is None else np.asarray(ago_s < span_s)


def _latest_before(values: Int64s) -> Int64s:
    """The greatest value of the places before each, -1 for the first."""
    greatest = np.maximum.accumulate(values, axis=1)
    return np.concatenate([np.full((len(values), 1), -1), greatest[:, :-1]], axis=1)
