"""Shopper events and plain-Python oracles that the session tests share."""

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta

from tests.frames import utc

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


def cut(events: Iterable[Row], gap_s: int) -> dict[str, str]:
    """event_id -> session_id, by one walk through each user's events."""
    session_of: dict[str, str] = {}
    last: dict[str, tuple[datetime, str]] = {}
    for row in sorted(events, key=lambda row: (str(row["user_id"]), row["event_at"], row["event_id"])):
        user, event_id, when = str(row["user_id"]), str(row["event_id"]), row["event_at"]
        assert isinstance(when, datetime)
        before = last.get(user)
        stays = before is not None and when - before[0] <= timedelta(seconds=gap_s)
        session_id = before[1] if before is not None and stays else key_of(user, event_id)
        last[user] = (when, session_id)
        session_of[event_id] = session_id
    return session_of
