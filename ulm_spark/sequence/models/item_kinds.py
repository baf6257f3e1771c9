"""The item vectors that the settings ask for."""

from ulm_spark.sequence.items_conf import ItemsConf
from ulm_spark.sequence.models.factorised_items import FactorisedItems
from ulm_spark.sequence.models.hashed_items import HashedItems
from ulm_spark.sequence.models.items import ItemTable, ItemVectors
from ulm_spark.sequence.models.learned_codes import LearnedCodes
from ulm_spark.sequence.models.quantised_items import QuantisedItems


def item_vectors(conf: ItemsConf, n_items: int, dim: int, deviation: float, name: str) -> ItemVectors:
    """Those of conf.kind, not built yet. deviation: of the first numbers of a vector."""
    shape = (n_items, dim, deviation)
    if conf.kind == "factorised":
        return FactorisedItems(*shape, conf.rank, conf.bits, name=name)
    if conf.kind == "hashed":
        return HashedItems(*shape, conf.n_buckets, conf.n_hashes, name=name)
    if conf.kind == "jpq" and conf.codes == "learned":
        return LearnedCodes(*shape, conf.n_splits, conf.n_centroids, name=name)
    if conf.kind == "jpq":
        return QuantisedItems(*shape, conf.n_splits, conf.n_centroids, name=name)
    return ItemTable(*shape, name=name)
