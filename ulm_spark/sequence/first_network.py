"""What does a training begin with? A network with its first weights, or those of an earlier model."""

from pathlib import Path

import numpy as np

from ulm_spark.sequence.codes import codes_of_factors, gram_of, item_factors
from ulm_spark.sequence.conf import TrainingConf
from ulm_spark.sequence.fact_scale import fact_scale
from ulm_spark.sequence.models.network import NextItem, build_network
from ulm_spark.sequence.ranks import Ranks
from ulm_spark.sequence.rows import Float32s, Float64s
from ulm_spark.sequence.shard import Shard
from ulm_spark.sequence.snapshot import Manifest
from ulm_spark.sequence.warm_start import adapt_from, begin_with

_CODES = 23  # stream of random numbers


def first_network(
    manifest: Manifest, vocabulary: tuple[str, ...], shard: Shard, prior: Float32s, ranks: Ranks
) -> NextItem:
    """The network as the first step finds it, equal on all ranks but for what the first rank shares at the start.

    In: prior, [n_periods + 1, n_items + 1].
    """
    conf, snapshot = manifest.conf, manifest.snapshot
    network = build_network(conf, snapshot.n_items, prior, manifest.attributes)
    _assign_codes(network, conf, shard, ranks)
    if network.heads is not None:
        n_events, until_s = conf.heads.fact_events, snapshot.known_until_s
        mean, deviation = fact_scale(shard.rows(), snapshot.n_rows, n_events, until_s, ranks)
        network.heads.mean.assign(mean)
        network.heads.deviation.assign(deviation)
    if conf.adapter.rank:
        adapt_from(network, vocabulary, Path(manifest.begin_from), conf.adapter.rank, manifest.attributes)
    elif manifest.begin_from:
        begin_with(network, vocabulary, Path(manifest.begin_from), manifest.attributes)
    return network


def _assign_codes(network: NextItem, conf: TrainingConf, shard: Shard, ranks: Ranks) -> None:
    """Codes of items by who has them in common, where the settings ask for it; some looks at the shard."""
    kept, items = conf.model.items, network.events.items
    if kept.kind != "jpq" or kept.codes != "svd":
        return

    def gram(vectors: Float64s) -> Float64s:
        return ranks.add(sum((gram_of(rows, vectors) for rows in shard.known_rows()), np.zeros_like(vectors)))

    generator = np.random.default_rng((conf.seed, _CODES))
    factors = item_factors(gram, network.n_items, min(kept.n_splits, network.n_items), generator)
    items.codes.assign(codes_of_factors(factors, kept.n_splits, kept.n_centroids, generator))
