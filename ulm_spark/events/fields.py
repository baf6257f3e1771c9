"""Which values can a source say of an event, and of what kind is each?"""

from ulm_spark.contracts.bronze import LINEAGE
from ulm_spark.contracts.silver import EVENTS, MONEY

LINEAGE_NAMES: tuple[str, ...] = tuple(column.name for column in LINEAGE)

# Columns of silver.events that tell of the event, not of the row that brought it.
EVENT_FIELDS: tuple[str, ...] = tuple(name for name in EVENTS.column_names if name not in LINEAGE_NAMES)

# What a source can fill: all of them but the local day, and the time at which it sent the row.
FIELDS: tuple[str, ...] = (*(name for name in EVENT_FIELDS if name != "event_on"), "received_at")

MONEY_FIELDS = tuple(column.name for column in EVENTS.columns if column.type == MONEY)
WHOLE_FIELDS = tuple(column.name for column in EVENTS.columns if column.type == "INT")
FLAG_FIELDS = ("is_item",)
MAP_FIELDS = ("attributes",)

# No shop on the web is older; an earlier time is a program's zero or a slip.
EARLIEST_SQL = "TIMESTAMP '1990-01-01 00:00:00'"

# Without these a row is no event, so an adapter must say where they come from.
REQUIRED_FIELDS = ("event_at", "event_type")
