"""At what instant does each event happen? Times inside a visit, and visits that never overlap."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from ulm_spark.shop.counter_rng import Bools, Draws, Ints, Stream, ordinals
from ulm_spark.shop.funnel import Events
from ulm_spark.shop.people import People
from ulm_spark.shop.personas import persona_values
from ulm_spark.shop.visits import ECHO, VisitLaw, Visits

FORMULA = (
    "time between two events of a visit = the persona's dwell_s * exp(dwell_spread * N(0, 1)), from 1 s to "
    "max_dwell_minutes; a visit starts as planned, or min_gap_minutes and up to 10 minutes after the end of the "
    "one before, whichever is later; one that follows another closely starts 25 to 35 minutes after its end"
)
SOURCE = "log-normal dwell times: Yin, Luo, Lee & Wang (2013), KDD, Silence is also evidence; the layout own"
MINUTE_MS = 60_000
AMBIGUOUS_MINUTES = (25, 35)


@dataclass(frozen=True)
class Timeline:
    """Events in the order in which they happened, by shopper.

    rows: place in Events. user: the shopper's place. number: 1, 2, ... within the shopper. visit: number
    of the shopper's visit, from 1. at_ms: since 1970, UTC. priced_ms: start of the visit whose day
    sets the price. is_ambiguous: the event's visit is 25 to 35 minutes from another one.
    """

    rows: Ints
    user: Ints
    number: Ints
    visit: Ints
    at_ms: Ints
    priced_ms: Ints
    is_ambiguous: Bools


def join_visits(first: Visits, second: Visits) -> tuple[Visits, Ints]:
    """Both, by shopper and planned start, and the new place of each old visit, those of first before those of "
    "second."""
    user = np.concatenate([first.user, second.user])
    planned = np.concatenate([first.planned_ms, second.planned_ms])
    order = np.lexsort((planned, user))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    kind = np.concatenate([first.kind, second.kind])[order]
    n_items = np.concatenate([first.n_items, second.n_items])[order]
    return Visits(user[order], kind, planned[order], n_items), place


def _start_visits(draws: Draws, law: VisitLaw, index: Ints, visits: Visits, duration: Ints) -> Ints:
    """Starts that keep each shopper's visits apart.

    Rule: start_k = max(planned_k, start_{k-1} + duration_{k-1} + gap_k), solved at once: less the
    running sum of duration and gap, a start is the running maximum of the plans.
    """
    user = visits.user
    uniform = draws.uniform(Stream.VISIT_GAP, index[user], ordinals(user))
    low, high = AMBIGUOUS_MINUTES
    apart = np.where(visits.kind == ECHO, low + (high - low) * uniform, law.min_gap_minutes + 10 * uniform)
    pushed = np.r_[0, duration[:-1]] + np.round(apart * MINUTE_MS).astype(np.int64)
    running = np.cumsum(pushed)
    running -= running[np.searchsorted(user, user)]
    # Shoppers lie far apart on one axis, so that one running maximum serves them all.
    free = visits.planned_ms - running
    stride = int(free.max(initial=0) - free.min(initial=0)) + 1
    return np.asarray(np.maximum.accumulate(free + user * stride) - user * stride + running, dtype=np.int64)


def lay_out(draws: Draws, law: VisitLaw, people: People, visits: Visits, events: Events, ends_ms: int) -> Timeline:
    """Give each event its instant; what would happen after the end of the simulation is left out."""
    rows = np.lexsort((events.place, events.visit))
    visit = events.visit[rows]
    user = visits.user[visit]
    number = ordinals(user)
    dwell_s = persona_values("dwell_s")[people.persona[user]] * np.exp(
        law.dwell_spread * ndtri(draws.uniform(Stream.DWELL, people.index[user], number))
    )
    dwell = np.round(np.clip(dwell_s, 1, law.max_dwell_minutes * 60) * 1000).astype(np.int64)
    is_first = np.r_[True, visit[1:] != visit[:-1]] if visit.size else np.zeros(0, dtype=bool)
    dwell[is_first] = 0
    since = np.cumsum(dwell)
    since -= since[np.searchsorted(visit, visit)]
    duration = np.zeros(len(visits.user), dtype=np.int64)
    np.maximum.at(duration, visit, since)
    starts = _start_visits(draws, law, people.index, visits, duration)
    at = starts[visit] + since
    is_within = at < ends_ms
    close = _has_close_neighbour(visits.user, starts, duration)
    timeline = (rows, user, number + 1, ordinals(visits.user)[visit] + 1, at, starts[events.priced_visit[rows]])
    rows, user, number, visit_number, at, priced = (column[is_within] for column in timeline)
    return Timeline(rows, user, number, visit_number, at, priced, close[visit][is_within])


def _has_close_neighbour(user: Ints, starts: Ints, duration: Ints) -> Bools:
    """True where the visit before or after is 25 to 35 minutes away."""
    low, high = (minutes * MINUTE_MS for minutes in AMBIGUOUS_MINUTES)
    gap = starts[1:] - (starts + duration)[:-1]
    is_close = (user[1:] == user[:-1]) & (gap >= low) & (gap <= high)
    return np.asarray(np.r_[False, is_close][: len(user)] | np.r_[is_close, False][: len(user)], dtype=np.bool_)
