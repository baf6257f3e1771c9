"""What currency and what amount does a price mean?"""

from collections.abc import Mapping

from pyspark.sql import Column
from pyspark.sql import functions as F

from ulm_spark.contracts.silver import MONEY

# Only what means one currency everywhere: $, ¥ and kr mean several, so the adapter must say which.
_ALIASES = {"€": "EUR", "£": "GBP", "₹": "INR", "₩": "KRW", "₽": "RUB", "₺": "TRY", "₫": "VND", "₴": "UAH"} | {
    "US$": "USD", "A$": "AUD", "HK$": "HKD", "NT$": "TWD", "R$": "BRL", "RMB": "CNY", "CNH": "CNY"
}  # fmt: skip

# ISO 4217: of all others two digits stand behind the point.
_WITHOUT_MINOR = (
    "BIF",
    "CLP",
    "DJF",
    "GNF",
    "ISK",
    "JPY",
    "KMF",
    "KRW",
    "PYG",
    "RWF",
    "UGX",
    "VND",
    "VUV",
    "XAF",
    "XOF",
    "XPF",
)
_OF_THREE_DIGITS = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")


def currency_code(text: Column, own_aliases: Mapping[str, str]) -> Column:
    """The ISO 4217 code of a code, sign or name in any case; what is unknown stays as it is, in upper case."""
    named = {**_ALIASES, **{name.upper(): code for name, code in own_aliases.items()}}
    aliases = F.create_map(*(F.lit(word) for pair in named.items() for word in pair))
    upper = F.upper(text)
    return F.coalesce(F.try_element_at(aliases, upper), upper)


def amount_of(text: Column, currency: Column, is_minor: bool) -> Column:
    """The amount in whole units of its currency, null where it can't be read.

    Rule: a minor amount is in the currency's smallest coin: 1250 is 12.50 euros, 1250 yen and 1.250 dinars.
    """
    if not is_minor:
        return text.try_cast(MONEY)
    factor = (
        F.when(currency.isin(*_WITHOUT_MINOR), F.lit("1"))
        .when(currency.isin(*_OF_THREE_DIGITS), F.lit("0.001"))
        .otherwise(F.lit("0.01"))
    )
    return (text.try_cast("DECIMAL(22,4)") * factor.cast("DECIMAL(4,3)")).try_cast(MONEY)
