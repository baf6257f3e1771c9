"""Is a day's input as good as it should be? Every check in one pass over the day's events."""

from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.config.errors import ConfigError
from ulm_spark.config.require import require
from ulm_spark.contracts.ops import QUALITY_CHECKS
from ulm_spark.contracts.silver import EVENTS, SHOPPER_EVENT_TYPES

_SHARES = ("max_quarantined_share", "max_duplicate_share", "max_unknown_product_share")
_NULLABLE = tuple(column.name for column in EVENTS.columns if column.nullable)
_WATCHED = ("user_id", "product_id", "category", "unit_price", "channel", "device")
_NO_LIMIT = 1.0


@dataclass(frozen=True)
class QualityRules:
    """Section ``quality``; as it stands every day passes, since only the shop knows what is usual.

    max_null_share: by column of silver.events, of shoppers' events. max_quarantined_share,
    max_duplicate_share: of the day's rows; duplicates are among the quarantined.
    max_unknown_product_share: of events with a product, those whose product has no title in
    silver.products. min_volume_ratio, max_volume_ratio: the day's events over the mean of the same
    weekday in the volume_weeks before. stop: names of checks, as ops.quality_checks has them, that
    end the job where they fail; the others are told alone.
    """

    max_null_share: dict[str, float] = field(default_factory=lambda: dict.fromkeys(_WATCHED, _NO_LIMIT))
    max_quarantined_share: float = _NO_LIMIT
    max_duplicate_share: float = _NO_LIMIT
    max_unknown_product_share: float = _NO_LIMIT
    min_volume_ratio: float = 0.0
    max_volume_ratio: float = 1000.0
    volume_weeks: int = 4
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unknown = sorted(set(self.max_null_share) - set(_NULLABLE))
        require(not unknown, "quality.max_null_share", ", ".join(unknown), f"columns among {', '.join(_NULLABLE)}")
        for name in _SHARES:
            require(0 <= getattr(self, name) <= 1, f"quality.{name}", getattr(self, name), "0 to 1")
        require(self.volume_weeks >= 1, "quality.volume_weeks", self.volume_weeks, "1 or more")
        strange = sorted(set(self.stop) - set(self.check_names))
        if strange:
            raise ConfigError(
                f"quality.stop: found {', '.join(strange)}; expected names among {', '.join(self.check_names)}. "
                "Correct the config."
            )

    @property
    def check_names(self) -> tuple[str, ...]:
        """The checks, in the order in which they are told."""
        of_columns = (f"null_share.{name}" for name in self.max_null_share)
        return (*of_columns, *(name.removeprefix("max_") for name in _SHARES), "min_volume_ratio", "max_volume_ratio")


def check_day(
    events: DataFrame, products: DataFrame, ingested_days: DataFrame, as_of: date, rules: QualityRules
) -> DataFrame:
    """What each source's input of the local day as_of measures, and whether that is good enough.

    In:   silver.events, silver.products, ops.ingested_days, any span.
    Out:  ops.quality_checks: every source that had an event by then, every check.
    Rule: nulls and products are measured in one aggregation over the day's shopper events; rows,
          duplicates and volumes were counted by ingest. The usual volume is the mean over those of
          the weekdays that have events.
    Edge: a value that nothing was measured for is null and passes; a source without an event on the
          day has volume 0.
    """
    counts = _count_rows(ingested_days, as_of, rules.volume_weeks)
    measured = _measure(events, products, as_of, rules)
    joined = counts.join(measured, on="source", how="left")
    share = {name: F.try_divide(name, "n_rows") for name in ("n_quarantined", "n_duplicates")}
    ratio = F.try_divide("n_kept", "usual")
    values = {
        **{f"null_share.{name}": (F.col(f"null_{name}"), most) for name, most in rules.max_null_share.items()},
        "quarantined_share": (share["n_quarantined"], rules.max_quarantined_share),
        "duplicate_share": (share["n_duplicates"], rules.max_duplicate_share),
        "unknown_product_share": (F.col("unknown_product_share"), rules.max_unknown_product_share),
        "min_volume_ratio": (ratio, rules.min_volume_ratio),
        "max_volume_ratio": (ratio, rules.max_volume_ratio),
    }
    checks = [_check(name, value, limit, name in rules.stop) for name, (value, limit) in values.items()]
    told = joined.select(F.lit(as_of).alias("as_of"), "source", "n_rows", F.inline(F.array(*checks)))
    return told.select(*QUALITY_CHECKS.column_names)


def _measure(events: DataFrame, products: DataFrame, as_of: date, rules: QualityRules) -> DataFrame:
    is_of_day = (F.col("event_on") == F.lit(as_of)) & F.col("event_type").isin(*SHOPPER_EVENT_TYPES)
    known = products.where(F.col("title").isNotNull()).select("product_id", F.lit(True).alias("is_known"))
    of_day = events.where(is_of_day).join(known, on="product_id", how="left")
    n_unknown = F.count_if(F.col("product_id").isNotNull() & F.col("is_known").isNull())
    nulls = [F.avg(F.col(name).isNull().cast("double")).alias(f"null_{name}") for name in rules.max_null_share]
    unknown = F.try_divide(n_unknown, F.count("product_id")).alias("unknown_product_share")
    return of_day.groupBy("source").agg(*nulls, unknown)


def _count_rows(ingested_days: DataFrame, as_of: date, n_weeks: int) -> DataFrame:
    """Per source with an event by as_of: rows of the day, and the usual events of its weekday."""
    n_days_ago = F.date_diff(F.lit(as_of), F.col("day_on"))
    is_same_weekday = (n_days_ago > 0) & (n_days_ago <= 7 * n_weeks) & (n_days_ago % 7 == 0) & (F.col("n_kept") > 0)
    names = ("n_rows", "n_kept", "n_quarantined", "n_duplicates")
    known = ingested_days.where(F.col("day_on") <= F.lit(as_of)).groupBy("source")
    counted = known.agg(
        *(F.coalesce(F.sum(F.when(n_days_ago == 0, F.col(name))), F.lit(0)).alias(name) for name in names),
        F.avg(F.when(is_same_weekday, F.col("n_kept"))).alias("usual"),
        F.sum("n_kept").alias("n_ever"),
    )
    return counted.where(F.col("n_ever") > 0)


def _check(name: str, value: Column, limit: float, does_stop: bool) -> Column:
    measured, threshold = value.cast("double"), F.lit(float(limit))
    is_fine = measured >= threshold if name.startswith("min_") else measured <= threshold
    values = {
        "check_name": F.lit(name),
        "value": measured,
        "threshold": threshold,
        "has_passed": F.coalesce(is_fine, F.lit(True)),
        "severity": F.lit("stop" if does_stop else "warn"),
    }
    return F.struct(*(column.alias(key) for key, column in values.items()))
