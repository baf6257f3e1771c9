"""By which device and cookie is a shopper seen, and when without a log-in? Off unless the config asks for it."""

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.config.require import require
from ulm_spark.contracts.truth import IDENTITIES
from ulm_spark.shop.funnel import PURCHASE, RETURN, REVIEW
from ulm_spark.shop.personas import DEVICES, PERSONAS
from ulm_spark.shop.seasons import DAY_MS

FORMULA = (
    "where sends_ids: a shopper has one device, a share second_device_share one for each kind of device; shoppers 2k "
    "and 2k + 1 are with household_share a household with a device of its own, and come from it in "
    "household_visit_share of their visits; a share library_share of all visits comes from one of n_libraries public "
    "devices; all but the app send a cookie, which a device renews every cookie_days; in a share anonymous_share of "
    "visits only purchases, returns and reviews are logged in; bots send neither; each choice is a hash of seed, "
    "purpose and who is asked"
)
SOURCE = "own"
_LOGGED_IN = (PURCHASE, RETURN, REVIEW)


@dataclass(frozen=True)
class IdentityLaw:
    """Section ``simulation.identities``.

    sends_ids: whether events carry a device and a cookie at all; the rest only counts where they do.
    second_device_share, household_share: of shoppers. household_visit_share: of a household's visits.
    library_share, anonymous_share: of all visits. n_libraries: public devices. cookie_days: a cookie's life.
    """

    sends_ids: bool = False
    second_device_share: float = 0.35
    household_share: float = 0.1
    household_visit_share: float = 0.3
    library_share: float = 0.01
    n_libraries: int = 5
    cookie_days: float = 45.0
    anonymous_share: float = 0.4

    def __post_init__(self) -> None:
        shares = [name for name in self.__dataclass_fields__ if name.endswith("_share")]
        for name in shares:
            require(0 <= getattr(self, name) <= 1, f"simulation.identities.{name}", getattr(self, name), "0 to 1")
        found = f"n_libraries {self.n_libraries} and cookie_days {self.cookie_days}"
        require(self.n_libraries >= 1 and self.cookie_days > 0, "simulation.identities", found, "1 or more, above 0")


def identify(coded: DataFrame, law: IdentityLaw, seed: int) -> DataFrame:
    """The coded events with what they are seen by.

    In:     generate.CODED_DDL.
    Out:    its columns, and device_id, cookie_id (null where none is sent) and is_logged_in.
    Edge:   where the law is off, nothing is sent and everybody is logged in.
    """
    if not law.sends_ids:
        nothing = F.lit(None).cast("string")
        return coded.withColumns({"device_id": nothing, "cookie_id": nothing, "is_logged_in": F.lit(True)})
    place, is_shopper = _place(law, seed), F.col("persona") != len(PERSONAS)
    age_days = F.col("at_ms") / F.lit(float(DAY_MS)) + _chance(seed, "cookie", place) * law.cookie_days
    renewal = F.floor(age_days / law.cookie_days).cast("string")
    is_browser = F.col("device") != DEVICES.index("app")
    is_anonymous = _chance(seed, "anonymous", "user_index", "visit") < law.anonymous_share
    return coded.withColumns(
        {
            "device_id": F.when(is_shopper, _opaque("d", seed, place)),
            "cookie_id": F.when(is_shopper & is_browser, _opaque("c", seed, F.concat_ws("/", place, renewal))),
            "is_logged_in": ~is_shopper | ~is_anonymous | F.col("code").isin(*_LOGGED_IN),
        }
    )


def list_identities(delivered: DataFrame) -> DataFrame:
    """truth.identities, from disorder.deliver."""
    names = [
        F.struct(F.lit(kind).alias("id_kind"), F.col(f"{kind}_id").alias("id_value")) for kind in ("device", "cookie")
    ]
    sent = delivered.where(F.col("device_id").isNotNull() | F.col("cookie_id").isNotNull())
    seen = sent.select(F.explode(F.array(*names)).alias("name"), "user_id").where(F.col("name.id_value").isNotNull())
    users = seen.groupBy("name").agg(F.collect_set("user_id").alias("user_ids"))
    each = users.select("name.*", F.explode("user_ids").alias("user_id"), (F.size("user_ids") > 1).alias("is_shared"))
    return each.select(*IDENTITIES.column_names)


def _place(law: IdentityLaw, seed: int) -> Column:
    """Which device a visit comes from, in words that never leave the simulation."""
    household = F.floor(F.col("user_index") / 2).cast("string")
    is_at_home = _chance(seed, "at home", "user_index", "visit") < law.household_visit_share
    is_shared = (_chance(seed, "household", household) < law.household_share) & is_at_home
    library = F.floor(_chance(seed, "which library", "user_index", "visit") * law.n_libraries).cast("string")
    is_public = _chance(seed, "library", "user_index", "visit") < law.library_share
    has_second = _chance(seed, "second device", "user_index") < law.second_device_share
    own = F.concat_ws("/", F.lit("own"), F.col("user_index").cast("string"))
    return (
        F.when(is_public, F.concat_ws("/", F.lit("library"), library))
        .when(is_shared, F.concat_ws("/", F.lit("household"), household))
        .when(has_second, F.concat_ws("/", own, F.col("device").cast("string")))
        .otherwise(own)
    )


def _chance(seed: int, purpose: str, *of: Column | str) -> Column:
    """A number from 0 to below 1 for each value of the columns."""
    hashed = F.xxhash64(F.lit(f"{seed}/{purpose}"), *of)
    return hashed.bitwiseAND(F.lit(2**52 - 1)) / F.lit(2.0**52)


def _opaque(letter: str, seed: int, name: Column) -> Column:
    """An id that tells nothing of whom it belongs to."""
    return F.concat(F.lit(letter), F.substring(F.sha2(F.concat(F.lit(f"{seed}/"), name), 256), 1, 16))
