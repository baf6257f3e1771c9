"""Relations: which users are linked, by what, and which communities the links make."""

from ulm_spark.contracts.gold import AS_OF, USER
from ulm_spark.contracts.table import Column, Table

LINK_KINDS = ("co_purchase", "device", "address", "referral")
"""Kinds of evidence, in the order in which a link lists them."""

USER_LINKS = Table(
    name="gold.user_links",
    grain="One row per pair of users linked by what they have in common as known at the end of as_of, among the links kept: the heaviest relations.max_links_per_user of either user.",
    key=("as_of", "left_id", "right_id"),
    columns=(
        AS_OF,
        Column("left_id", "STRING", "The user whose id comes first by text"),
        Column("right_id", "STRING", "The other user"),
        Column(
            "weight",
            "DOUBLE",
            "Adamic and Adar's: the sum over what both have in common of 1 / ln(number of users who have it)",
        ),
        Column(
            "evidence",
            "ARRAY<STRUCT<kind: STRING, weight: DOUBLE, n: BIGINT>>",
            "What the weight is made of, by kind: co_purchase (items both bought), device (devices and cookies both used), address (hashes of addresses of both), referral (one brought the other); its share of the weight, and how many things; never the things themselves",
        ),
    ),
    partition_by=("as_of",),
    writer="link_users",
)

USER_COMMUNITIES = Table(
    name="gold.user_communities",
    grain="One row per user with a link in gold.user_links and day of as_of.",
    key=("as_of", "user_id"),
    columns=(
        AS_OF,
        USER,
        Column("community", "INT", "Community, 0 the largest by users, ties by the smallest user_id by text"),
        Column("n_members", "BIGINT", "Users of the community", unit="users"),
        Column("influence", "DOUBLE", "PageRank over the links by weight, times the users with a link: 1 is the mean"),
        Column("degree", "BIGINT", "Links of the user", unit="links"),
    ),
    partition_by=("as_of",),
    writer="link_users",
)
