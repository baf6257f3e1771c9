"""Identity: which identifiers were seen together, whose each is as of a day, and what changed on which day."""

from ulm_spark.contracts.gold import AS_OF
from ulm_spark.contracts.table import CHANGES_ARE_KEPT, Column, Table

KINDS = ("user", "cookie", "device")
"""Kinds of identifier, the one that names a person best first."""

IDENTITY_LINKS = Table(
    name="silver.identity_links",
    grain="One row per pair of identifiers (log-in, cookie, device) that one event named, as known at the end of the latest day resolved; a cookie or device that an event named alone is paired with itself.",
    key=("left_kind", "left_value", "right_kind", "right_value"),
    columns=(
        Column("left_kind", "STRING", "user, cookie or device; never after right_kind in this order"),
        Column("left_value", "STRING", "The identifier as the source named it"),
        Column("right_kind", "STRING", "user, cookie or device"),
        Column("right_value", "STRING", "The identifier as the source named it"),
        Column("first_seen_at", "TIMESTAMP", "First event that named both", unit="UTC"),
        Column("last_seen_at", "TIMESTAMP", "Last event that named both", unit="UTC"),
        Column("n_events", "BIGINT", "Events that named both", unit="events"),
        Column(
            "state",
            "STRING",
            "linked: they are one person's; shared: not, since more log-ins used one of them than identity.max_users_per_device; cut: not, by identity.cut_links; gone: not, since no event names both any more (n_events is 0)",
        ),
        Column("state_since", "DATE", "Day of as_of of the first run that found it in this state"),
    ),
    writer="resolve_identities",
)

IDENTITIES = Table(
    name="silver.identities",
    grain="One row per identifier and stretch of days in which one person was known for it: as of day d, known_from <= d and (known_until is null or known_until > d).",
    key=("id_kind", "id_value", "known_from"),
    columns=(
        Column("id_kind", "STRING", "user, cookie or device"),
        Column("id_value", "STRING", "The identifier as the source named it"),
        Column(
            "person_id",
            "STRING",
            "The smallest log-in, by text, of all identifiers known as one person's; without a log-in, cookie: and the smallest cookie, else device: and the smallest device",
        ),
        Column("known_from", "DATE", "First day of as_of at whose end this was known"),
        Column(
            "known_until", "DATE", "First day of as_of at whose end it was no longer; null while it is", nullable=True
        ),
    ),
    properties=CHANGES_ARE_KEPT,
    writer="resolve_identities",
    readers=(
        "sessionize",
        "build_orders",
        "build_sequences",
        "build_user_days",
        "describe_users",
        "build_metrics",
        "build_shop_metrics",
        "evaluate_models",
        "train_als",
        "recommend_items",
        "recommend_next_items",
        "link_users",
    ),
    read_where="identity.attributes_users",
)

IDENTITY_CHANGES = Table(
    name="ops.identity_changes",
    grain="One row per day of as_of, person before and person after of identifiers that were some person's and are another's since that day.",
    key=("as_of", "person_before", "person_after"),
    columns=(
        AS_OF,
        Column("person_before", "STRING", "The person_id of these identifiers until then"),
        Column("person_after", "STRING", "Their person_id from then on; empty where they are nobody's any more"),
        Column("n_users", "BIGINT", "Log-ins that moved", unit="identifiers"),
        Column("n_cookies", "BIGINT", "Cookies that moved", unit="identifiers"),
        Column("n_devices", "BIGINT", "Devices that moved", unit="identifiers"),
        Column(
            "cause",
            "STRING",
            "The first of these that befell a link of the person before that day: cut, guard (too many log-ins came to share it), link (one came), gone (its events went); code where none did, and the code that resolves is another",
        ),
    ),
    partition_by=("as_of",),
    writer="resolve_identities",
)
