"""Shopper events and plain-Python oracles that the session tests share."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.frames import utc
from ulm_spark.sessions.cut import SessionRules

START = utc("2024-03-01T00:00:00")
Row = dict[str, object]


def at(minutes: float = 0, us: int = 0) -> datetime:
    """That long after the first instant of 2024-03-01."""
    return START + timedelta(minutes=minutes, microseconds=us)


def event(event_id: str, when: datetime, **columns: object) -> Row:
    """A view by user u of the item p at that time, unless columns say otherwise."""
    usual: Row = {
        "event_type": "view",
        "user_id": "u",
        "product_id": "p",
        "is_item": True,
        "event_on": when.date(),
    }
    return {**usual, **columns, "event_id": event_id, "event_at": when}


def key_of(*parts: str) -> str:
    """What sessions.keys.key_of makes of these strings."""
    framed = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(framed.encode()).hexdigest()[:32]


def session_key(started: datetime, user_id: str = "u", opened_by: str = "") -> str:
    """The session_id of a visit that began then."""
    us = (started - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return key_of(user_id, str(us), opened_by)


def cut(events: Iterable[Row], rules: SessionRules, zone: str = "UTC") -> dict[str, str]:
    """event_id -> session_id, by one walk through each user's events."""
    session_of: dict[str, str] = {}
    walks: dict[str, _Walk] = {}
    for row in sorted(events, key=lambda row: (str(row["user_id"]), row["event_at"], str(row.get("campaign") or ""))):
        walk = walks.setdefault(str(row["user_id"]), _Walk(rules, ZoneInfo(zone)))
        when = row["event_at"]
        assert isinstance(when, datetime)
        campaign = row.get("campaign")
        started, opened_by = walk.step(when, None if campaign is None else str(campaign))
        session_of[str(row["event_id"])] = session_key(started, str(row["user_id"]), opened_by)
    return session_of


class _Walk:
    """One user's way through time."""

    def __init__(self, rules: SessionRules, zone: ZoneInfo) -> None:
        self._rules, self._zone = rules, zone
        self._last: datetime | None = None
        self._stretch = self._started = START
        self._named: str | None = None
        self._opened_by = ""

    def step(self, when: datetime, campaign: str | None) -> tuple[datetime, str]:
        """When the visit of the event began, and what opened it."""
        rules, last = self._rules, self._last
        if last is None or when - last > timedelta(seconds=rules.gap_s):
            begins, self._stretch, self._named = True, when, None
        else:
            begins = rules.cut_at_midnight and self._day(when) != self._day(last)
            if rules.longest_s:
                begins = begins or self._piece(when) != self._piece(last)
        if rules.cut_on_campaign and campaign is not None:
            begins, self._named = begins or campaign != self._named, campaign
        if begins:
            self._started, self._opened_by = when, (campaign or "") if rules.cut_on_campaign else ""
        self._last = when
        return self._started, self._opened_by

    def _day(self, when: datetime) -> date:
        return when.astimezone(self._zone).date()

    def _piece(self, when: datetime) -> int:
        return (when - self._stretch) // timedelta(seconds=self._rules.longest_s)
