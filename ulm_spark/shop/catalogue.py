"""What the shop sells: a category tree, brands, prices, titles in two languages, and when each item was listed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from scipy.special import ndtri

from ulm_spark.config.require import require
from ulm_spark.shop.counter_rng import Draws, Floats, Ints, Stream
from ulm_spark.shop.personas import DEPARTMENTS
from ulm_spark.shop.seasons import DAY_MS, first_instant_ms
from ulm_spark.shop.words import BRAND_LEVELS, BRANDS, LEAVES, PRAISES, STYLES

FORMULA = (
    "list price = its category's middle price * brand level * exp(price_spread * N(0, 1)); popularity of the item "
    "of rank q is q ** -popularity_exponent, ranks drawn at random; a share late_share of the items is listed "
    "uniformly over the simulation, the others on the day before it"
)
SOURCE = "Zipf's law for item popularity: Newman (2005), Contemporary Physics 46(5), 323-351; the rest own"

ITEMS_DDL = (
    "item_index BIGINT, product_id STRING, category STRING, department INT, brand STRING, title STRING, "
    "title_zh STRING, "
    "description STRING, description_zh STRING, list_cents BIGINT, listed_ms BIGINT, popularity DOUBLE, query STRING"
)


@dataclass(frozen=True)
class CatalogueLaw:
    """Section ``simulation.catalogue``.

    price_spread: standard deviation of the log price within a category and brand.
    popularity_exponent: of the Zipf law. late_share: share of items listed after the first day.
    """

    price_spread: float = 0.3
    popularity_exponent: float = 0.8
    late_share: float = 0.12

    def __post_init__(self) -> None:
        require(0 <= self.late_share < 1, "simulation.catalogue.late_share", self.late_share, "0 up to below 1")


@dataclass(frozen=True)
class Catalogue:
    """The items in the order in which they were listed, so that what is listed at an instant is a prefix.

    number: the item's own number, in its product_id. category: index of its category.
    relative_price: price over its category's middle price. popularity: Zipf weight, any scale.
    """

    number: Ints
    category: Ints
    department: Ints
    brand: Ints
    list_cents: Ints
    relative_price: Floats
    popularity: Floats
    listed_ms: Ints

    def n_listed(self, at_ms: Ints) -> Ints:
        """How many items were listed by instants."""
        return np.asarray(np.searchsorted(self.listed_ms, at_ms, side="right"), dtype=np.int64)


def build_catalogue(
    draws: Draws, law: CatalogueLaw, n_items: int, n_categories: int, starts_on: date, n_days: int
) -> Catalogue:
    """All items of a simulation, as arrays of equal length."""
    number = np.arange(n_items, dtype=np.int64)
    # A shuffled round robin: no category is left empty.
    category = np.argsort(draws.uniform(Stream.ITEM_CATEGORY, number), kind="stable") % n_categories
    leaf = category % len(LEAVES)
    department = np.asarray([DEPARTMENTS.index(entry.department) for entry in LEAVES])[leaf]
    brand = (draws.uniform(Stream.ITEM_BRAND, number) * len(BRAND_LEVELS)).astype(np.int64)
    noise = np.exp(law.price_spread * ndtri(draws.uniform(Stream.ITEM_PRICE, number)))
    relative = np.asarray(BRAND_LEVELS)[brand] * noise
    middle = np.asarray([entry.price for entry in LEAVES])[leaf]
    list_cents = np.maximum(np.round(middle * relative), 1).astype(np.int64) * 100 - 1
    rank = np.argsort(np.argsort(draws.uniform(Stream.ITEM_RANK, number), kind="stable"), kind="stable") + 1
    listed = draws.uniform(Stream.ITEM_LISTED, number)
    opening = first_instant_ms(starts_on)
    before = opening - DAY_MS + np.floor(listed * DAY_MS).astype(np.int64)
    later = (
        opening + np.floor((1 - listed) / law.late_share * n_days * DAY_MS).astype(np.int64)
        if law.late_share
        else before
    )
    # The most popular twentieth is never late: the shop must have something to sell on its first day.
    listed_ms = np.where((listed > 1 - law.late_share) & (rank > max(n_items // 20, 1)), later, before)
    order = np.lexsort((number, listed_ms))
    return Catalogue(
        number=number[order],
        category=category[order].astype(np.int64),
        department=department[order].astype(np.int64),
        brand=brand[order],
        list_cents=list_cents[order],
        relative_price=relative[order],
        popularity=(rank**-law.popularity_exponent)[order],
        listed_ms=listed_ms[order],
    )


def category_path(category: int) -> str:
    """The path of a category from the root; beyond the written ones, shelves are numbered."""
    leaf, series = LEAVES[category % len(LEAVES)], category // len(LEAVES)
    shelf = leaf.shelf if series == 0 else f"{leaf.shelf} {series + 1}"
    return f"{leaf.department}/{leaf.aisle}/{shelf}"


def _describe(catalogue: Catalogue, words: Floats, i: int) -> tuple[str, ...]:
    leaf = LEAVES[int(catalogue.category[i]) % len(LEAVES)]
    brand, brand_zh = BRANDS[leaf.department][int(catalogue.brand[i])]
    style, style_zh = STYLES[int(words[i] * len(STYLES))]
    praise, praise_zh = PRAISES[int(words[i] * len(STYLES) * len(PRAISES)) % len(PRAISES)]
    model = f"{brand[0]}{int(catalogue.number[i]):04d}"
    return (
        f"p{int(catalogue.number[i]):07d}",
        category_path(int(catalogue.category[i])),
        brand,
        f"{brand} {style} {leaf.noun} {model}",
        f"{brand_zh}{style_zh}{leaf.noun_zh} {model}",
        f"{style} {leaf.noun.lower()} by {brand}: {praise}.",
        f"{brand_zh}{style_zh}{leaf.noun_zh}，{praise_zh}。",
        leaf.noun.lower() if words[i] < 0.7 else f"{brand} {leaf.noun}".lower(),
    )


def list_items(item_indices: DataFrame, catalogue: Catalogue, draws: Draws) -> DataFrame:
    """The catalogue in words, one row per item.

    In:     id, the place of an item in the catalogue.
    Out:    ITEMS_DDL; list_cents in hundredths of the currency, listed_ms in milliseconds since 1970, UTC.
    """

    def describe(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        words = draws.uniform(Stream.ITEM_WORDS, catalogue.number)
        for batch in batches:
            index = batch["id"].to_numpy()
            text = [_describe(catalogue, words, int(i)) for i in index]
            names = ("product_id", "category", "brand", "title", "title_zh", "description", "description_zh", "query")
            described = pd.DataFrame(text, columns=list(names))
            yield described.assign(
                item_index=index,
                department=catalogue.department[index].astype("int32"),
                list_cents=catalogue.list_cents[index],
                listed_ms=catalogue.listed_ms[index],
                popularity=catalogue.popularity[index],
            )

    return item_indices.mapInPandas(describe, ITEMS_DDL)


def last_day(starts_on: date, n_days: int) -> date:
    """The last simulated day."""
    return starts_on + timedelta(days=n_days - 1)
