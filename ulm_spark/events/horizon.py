"""Which events of the lake can a batch's rows be duplicates of?"""

from collections.abc import Iterable
from datetime import date, timedelta
from functools import reduce
from itertools import pairwise
from operator import or_

from pyspark.sql import Column
from pyspark.sql import functions as F

_MOST_RANGES = 50  # a condition that a planner still takes quickly


def near_days(days: Iterable[date], horizon_days: int, most: int = _MOST_RANGES) -> list[tuple[date, date]]:
    """The days within the horizon of any of a batch's days, as ranges that don't touch, both ends included.

    Rule: where there would be more than the most, those nearest to each other are joined, days between them too.
    """
    reach, ordered = timedelta(days=horizon_days), sorted(set(days))
    gaps = [(later - earlier, earlier) for earlier, later in pairwise(ordered)]
    wide = sorted((gap for gap in gaps if gap[0] > 2 * reach + timedelta(days=1)), reverse=True)
    last_before_gap = {day for _, day in wide[: most - 1]}
    starts = [day for day, before in zip(ordered, [None, *ordered], strict=False) if before in {None, *last_before_gap}]
    ends = [day for day in ordered if day in last_before_gap or day == ordered[-1]]
    return [(start - reach, end + reach) for start, end in zip(starts, ends, strict=True)]


def is_near(days: Iterable[date], horizon_days: int) -> Column:
    """True for events on a day within the horizon of any of the days: literals, so that Delta skips files."""
    ranges = near_days(days, horizon_days)
    return reduce(or_, (F.col("event_on").between(F.lit(start), F.lit(end)) for start, end in ranges), F.lit(False))
