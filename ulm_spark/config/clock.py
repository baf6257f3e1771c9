"""Where one day ends: the single place in which as_of becomes an instant."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ulm_spark.config.errors import ConfigError

MOST_DAYS = 3650
"""Ten years: as long as any window, horizon or look back may be."""


def shop_zone(zone: str) -> ZoneInfo:
    """The IANA time zone of that name. Errors: ConfigError for a name that is none."""
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(
            f"shop.zone: found '{zone}'; expected an IANA time zone such as Europe/London. Correct the config."
        ) from error


def end_of(as_of: date, zone: str) -> datetime:
    """The first instant, in UTC, that is no longer part of the local day as_of.

    What happened *before* it is known as of that day: ``event_at < end_of(as_of, zone)``.
    """
    next_midnight = datetime.combine(as_of + timedelta(days=1), time(), tzinfo=shop_zone(zone))
    return next_midnight.astimezone(UTC)


def start_of(day: date, zone: str) -> datetime:
    """The first instant, in UTC, of a local day."""
    return end_of(day - timedelta(days=1), zone)


def past_days(
    first_on: date | None, as_of: date, horizon_days: int, n_days: int, min_history_days: int
) -> tuple[date, ...]:
    """The days whose next horizon is over by as_of, oldest first: as_of less one horizon, two, ..., n_days of them.

    Rule: what follows a day d is (d, d + horizon_days]; none ends after as_of, and no two overlap. A day needs
          min_history_days from first_on up to and including itself.
    Edge: empty where history is too short, or first_on is None since there is none.
    """
    if first_on is None:
        return ()
    days = (as_of - timedelta(days=horizon_days * n) for n in range(n_days, 0, -1))
    return tuple(day for day in days if (day - first_on).days + 1 >= min_history_days)
