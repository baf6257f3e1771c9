"""The whole network: events to vectors, vectors to states, states to a score for each item."""

import keras
import numpy as np
import tensorflow as tf

from ulm_spark.sequence.conf import TrainingConf
from ulm_spark.sequence.models.embedding import EventEmbedding
from ulm_spark.sequence.models.gru import GruStack
from ulm_spark.sequence.models.sasrec import SasRec
from ulm_spark.sequence.rows import Float32s


@keras.saving.register_keras_serializable(package="ulm_spark")
class NextItem(keras.Model):
    """Scores of all items after each event.

    score = state . item vector + item bias + prior, the log popularity of the item at that time. The
    item vectors are those of the input (tied). The prior enters as an offset, so the rest learns
    what a user wants beyond what everybody buys just then.
    Source: Menon et al. (2021), Long-tail learning via logit adjustment, ICLR, for the offset.
    """

    def __init__(
        self,
        architecture: str,
        n_items: int,
        length: int,
        dim: int,
        n_blocks: int,
        n_heads: int,
        dropout: float,
        n_periods: int,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.shape = {"n_items": n_items, "length": length, "dim": dim, "n_periods": n_periods}
        self.layer_shape = {"n_blocks": n_blocks, "n_heads": n_heads}
        self.architecture, self.dropout = architecture, dropout
        self.events = EventEmbedding(n_items, length, dim, name="events")
        self.body: SasRec | GruStack = (
            SasRec(dim, n_blocks, n_heads, dropout, name="body")
            if architecture == "sasrec"
            else GruStack(dim, n_blocks, dropout, name="body")
        )
        self.bias = self.add_weight(shape=(n_items + 1,), initializer="zeros", name="bias")
        self.prior = self.add_weight(
            shape=(n_periods + 1, n_items + 1), initializer="zeros", trainable=False, name="prior"
        )
        self.events.build(None)
        self.body.build((None, length, dim))
        self.built = True

    def call(self, items: tf.Tensor, codes: tf.Tensor, gaps: tf.Tensor, training: bool = False) -> tf.Tensor:
        """items, codes: [batch, length] int32; gaps: [batch, length] int64 s -> states [batch, length, dim]."""
        return self.body(self.events(items, codes, gaps), items > 0, training=training)

    def score_all(self, states: tf.Tensor, periods: tf.Tensor) -> tf.Tensor:
        """states: [..., dim], periods: [...] int -> scores of items 0 to n_items: [..., n_items + 1]."""
        scores = tf.matmul(states, self.events.table.value, transpose_b=True)
        return scores + self.bias.value + tf.gather(self.prior.value, periods)

    def score_some(self, states: tf.Tensor, periods: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        """Scores of these items: states [a, p, dim], periods [a, p], items [a, p, k] -> [a, p, k]."""
        vectors = tf.gather(self.events.table.value, items)
        cell = tf.stack([tf.broadcast_to(periods[..., None], tf.shape(items)), items], axis=-1)
        offsets = tf.gather(self.bias.value, items) + tf.gather_nd(self.prior.value, cell)
        return tf.einsum("apd,apkd->apk", states, vectors) + offsets

    def score_shared(self, states: tf.Tensor, periods: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        """Scores of the same items everywhere: states [a, p, dim], periods [a, p], items [k] -> [a, p, k]."""
        vectors = tf.gather(self.events.table.value, items)
        prior = tf.gather(tf.gather(self.prior.value, items, axis=1), periods)
        return tf.einsum("apd,kd->apk", states, vectors) + tf.gather(self.bias.value, items) + prior

    def get_config(self) -> dict[str, object]:
        """What makes the network again."""
        return {
            "name": self.name,
            "architecture": self.architecture,
            "dropout": self.dropout,
            **self.shape,
            **self.layer_shape,
        }


def build_network(conf: TrainingConf, n_items: int, prior: Float32s) -> NextItem:
    """A network with its first weights, drawn by the seed. prior: [n_periods + 1, n_items + 1]."""
    keras.utils.set_random_seed(conf.seed)
    network = NextItem(
        architecture=conf.model,
        n_items=n_items,
        length=conf.max_length,
        dim=conf.dim,
        n_blocks=conf.n_blocks,
        n_heads=conf.n_heads,
        dropout=conf.dropout,
        n_periods=prior.shape[0] - 1,
        name="next_item",
    )
    network.prior.assign(prior)
    return network


def seed_dropout(network: NextItem, seed: tuple[int, ...]) -> None:
    """Starts the dropout of an epoch anew, so that a resumed run drops what an undisturbed one drops."""
    saved = {id(variable) for variable in network.weights}
    states = [variable for variable in network.variables if id(variable) not in saved]
    for place, state in enumerate(states):
        words = np.random.SeedSequence([*seed, place]).generate_state(2, np.uint32)
        state.assign(words.astype(state.dtype))
