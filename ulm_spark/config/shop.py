"""What is true of the whole shop: where its day ends and what its money is."""

from dataclasses import dataclass

from ulm_spark.config.clock import shop_zone
from ulm_spark.config.require import require


@dataclass(frozen=True)
class ShopConf:
    """Section ``shop``.

    zone: IANA time zone in which the shop's days end. currency: ISO 4217 code of prices that
    come without one.
    """

    zone: str = "UTC"
    currency: str = "EUR"

    def __post_init__(self) -> None:
        shop_zone(self.zone)
        is_code = len(self.currency) == 3 and self.currency.isalpha() and self.currency.isupper()
        require(is_code, "shop.currency", f"'{self.currency}'", "an ISO 4217 code such as EUR")
