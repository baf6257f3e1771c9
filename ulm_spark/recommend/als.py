"""Which factors explain what users do with items? Implicit alternating least squares by Spark ML."""

from dataclasses import dataclass

from pyspark.ml.recommendation import ALS
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from ulm_spark.config.errors import ConfigError
from ulm_spark.config.require import require, require_counts
from ulm_spark.recommend.interactions import Transform, Weighting

# Ids are numbered inside hash buckets, so that no single task sorts all users.
_N_BUCKETS = 1024


@dataclass(frozen=True)
class AlsConf:
    """Section ``als``.

    rank: number of factors. iterations: full alternations. reg: regularisation, scaled by each
    user's and item's number of interactions. alpha: growth of confidence with weight,
    confidence = 1 + alpha * weight. view_weight to purchase_weight: weight of one such event, 0
    leaves the type out. transform: log1p dampens a pair's summed weight. half_life_days: days after
    which an event weighs half, null for never. popularity_days: window of the popularity baseline.
    top_n: length of each list. exclude_seen: recommend, and count as right, only what the user
    never bought before as_of. seed: of the first factors. n_blocks: parallel blocks.
    """

    rank: int = 64
    iterations: int = 10
    reg: float = 0.8
    alpha: float = 15.0
    view_weight: float = 0.2
    click_weight: float = 0.3
    cart_weight: float = 0.5
    purchase_weight: float = 1.0
    transform: Transform = "none"
    half_life_days: float | None = 30.0
    popularity_days: int = 30
    top_n: int = 20
    exclude_seen: bool = True
    seed: int = 20111209
    n_blocks: int = 4

    def __post_init__(self) -> None:
        require_counts(self, "als", ("rank", "iterations", "popularity_days", "top_n", "n_blocks"))
        for name in ("reg", "alpha", "view_weight", "click_weight", "cart_weight", "purchase_weight"):
            require(not getattr(self, name) < 0, f"als.{name}", getattr(self, name), "0 or more")
        if not self.weighting.by_type:
            raise ConfigError("als: found no event weight above 0; expected at least one. Raise purchase_weight.")
        half_life = self.half_life_days
        require(half_life is None or not half_life <= 0, "als.half_life_days", half_life, "days above 0, or null")

    @property
    def weighting(self) -> Weighting:
        """What one event counts; types of weight 0 are left out."""
        weights = {
            "view": self.view_weight,
            "click": self.click_weight,
            "cart": self.cart_weight,
            "purchase": self.purchase_weight,
        }
        counted = {name: weight for name, weight in weights.items() if weight > 0}
        return Weighting(counted, self.half_life_days, self.transform)


@dataclass(frozen=True)
class Factors:
    """A fitted model: users (user_id, vector) and items (product_id, vector); a vector is ARRAY<FLOAT>."""

    users: DataFrame
    items: DataFrame


def fit_als(interactions: DataFrame, conf: AlsConf) -> Factors:
    """Factors whose dot product orders items for a user.

    In:     (user_id, product_id, weight), one row per pair, at least one row.
    Out:    a vector for each user and each item with an interaction.
    Rule:   implicit feedback: preference 1 with confidence 1 + alpha * weight where weight is above 0,
            else preference 0 with confidence 1. The same rows give the same factors up to rounding.
    Source: Hu, Koren & Volinsky (2008), ICDM, 263-272; the regularisation is scaled as in
            Zhou et al. (2008), AAIM, 337-348.
    """
    users = _numbered(interactions, "user_id", "user_number")
    items = _numbered(interactions, "product_id", "item_number")
    ratings = (
        interactions.join(users, on="user_id", how="inner")
        .join(items, on="product_id", how="inner")
        .select("user_number", "item_number", F.col("weight").cast("float").alias("weight"))
    )
    als = ALS(
        rank=conf.rank,
        maxIter=conf.iterations,
        regParam=conf.reg,
        alpha=conf.alpha,
        implicitPrefs=True,
        numUserBlocks=conf.n_blocks,
        numItemBlocks=conf.n_blocks,
        seed=conf.seed,
        userCol="user_number",
        itemCol="item_number",
        ratingCol="weight",
    )
    model = als.fit(ratings)
    return Factors(
        users=_named(model.userFactors, users, "user_id", "user_number"),
        items=_named(model.itemFactors, items, "product_id", "item_number"),
    )


def _numbered(interactions: DataFrame, id_column: str, number_column: str) -> DataFrame:
    """Whole numbers for ids: distinct, whatever the partitioning, and below 2 ** 31 for 2 ** 30 ids."""
    bucket = F.pmod(F.xxhash64(id_column), F.lit(_N_BUCKETS))
    in_bucket = (
        Window.partitionBy("bucket").orderBy(id_column).rowsBetween(Window.unboundedPreceding, Window.currentRow)
    )
    place = F.row_number().over(in_bucket) - 1
    return (
        interactions.select(id_column)
        .distinct()
        .withColumn("bucket", bucket)
        .select(id_column, (place * _N_BUCKETS + F.col("bucket")).cast("int").alias(number_column))
    )


def _named(factors: DataFrame, numbers: DataFrame, id_column: str, number_column: str) -> DataFrame:
    vectors = factors.select(F.col("id").alias(number_column), F.col("features").alias("vector"))
    return numbers.join(vectors, on=number_column, how="inner").select(id_column, "vector")
