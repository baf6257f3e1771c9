"""Every table of the lake, in data-flow order: the one list that jobs, docs, tests and the graph read."""

from ulm_spark.contracts import bronze, features, gold, identity, ops, silver, truth, user_days
from ulm_spark.contracts.table import Table

TABLES: tuple[Table, ...] = (
    *truth.TABLES,
    bronze.RAW_EVENTS,
    bronze.QUARANTINE,
    bronze.INGESTED_FILES,
    bronze.INGESTED_DAYS,
    silver.EVENTS,
    silver.EVENT_ANOMALIES,
    ops.JUDGED_DAYS,
    identity.IDENTITY_LINKS,
    identity.IDENTITIES,
    identity.IDENTITY_CHANGES,
    silver.PRODUCTS,
    ops.QUALITY_CHECKS,
    silver.SESSIONS,
    silver.ORDER_LINES,
    silver.ORDERS,
    *user_days.TABLES,
    silver.ITEM_VOCABULARY,
    silver.CATEGORY_VOCABULARY,
    silver.SEQUENCES,
    features.USER_FEATURES,
    gold.USER_SEGMENTS,
    gold.SEGMENT_PROFILES,
    ops.SEGMENT_MODELS,
    ops.CHURN_MODELS,
    gold.CHURN_SCORES,
    ops.ALS_MODELS,
    gold.ITEM_RECOMMENDATIONS,
    ops.SEQUENCE_MODELS,
    gold.NEXT_ITEM_RECOMMENDATIONS,
    gold.MODEL_QUALITY,
    gold.CHURN_OUTCOMES,
    gold.RECOMMENDATION_EXAMPLES,
    gold.DAILY_ACTIVITY,
    gold.FUNNEL,
    gold.RETENTION,
    gold.DATA_QUALITY,
    ops.REPORTS,
    ops.MAINTENANCE,
    ops.RUNS,
)

BY_NAME: dict[str, Table] = {table.name: table for table in TABLES}
