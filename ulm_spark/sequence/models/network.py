"""The whole network: events to vectors, vectors to states, states to a score for each item."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import keras
import numpy as np
import tensorflow as tf
from dacite import Config, from_dict

from ulm_spark.config.errors import TrainingError
from ulm_spark.sequence.conf import TrainingConf
from ulm_spark.sequence.model_conf import ModelConf
from ulm_spark.sequence.models.embedding import EventEmbedding
from ulm_spark.sequence.models.gru import GruStack
from ulm_spark.sequence.models.heads import Heads
from ulm_spark.sequence.models.lstm import LstmStack
from ulm_spark.sequence.models.precision import computing_in
from ulm_spark.sequence.models.transformer import Transformer
from ulm_spark.sequence.rows import Float32s
from ulm_spark.sequence.snapshot import ItemAttribute

_NEVER = -1e9


@keras.saving.register_keras_serializable(package="ulm_spark")
class NextItem(keras.Model):
    """Scores of all items after each event.

    score = state . item vector + item bias + prior, the log popularity of the item at that time. The item vectors are
    those of the input (tied), what attributes add among it. The prior enters as an offset, so the rest learns what a
    user wants beyond what everybody buys just then.
    Source: Menon et al. (2021), Long-tail learning via logit adjustment, ICLR, for the offset.
    """

    def __init__(
        self,
        model: dict[str, object] | ModelConf,
        n_items: int,
        n_periods: int,
        tasks: Sequence[str] = (),
        attributes: Mapping[str, int] | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.conf = model if isinstance(model, ModelConf) else from_dict(ModelConf, model, Config(cast=[tuple]))
        self.n_items, self.n_periods = n_items, n_periods
        shape = (n_items, self.conf.max_length, self.conf.dim)
        is_normed = self.conf.input == "normed"
        self.events = EventEmbedding(*shape, self.conf.places, is_normed, self.conf.items, attributes, name="events")
        self.body = _body(self.conf)
        self.heads = Heads(tasks, self.conf.dim, self.conf.dropout, name="heads") if tasks else None
        self.bias = self.add_weight(shape=(n_items + 1,), initializer="zeros", name="bias")
        self.prior = self.add_weight(
            shape=(n_periods + 1, n_items + 1), initializer="zeros", trainable=False, name="prior"
        )
        self.events.build(None)
        self.body.build((None, self.conf.max_length, self.conf.dim))
        if self.heads is not None:
            self.heads.build(None)
        self.built = True

    @property
    def tables(self) -> list[keras.Variable]:
        """Weights of which sampled items touch few rows."""
        return [*self.events.items.tables, self.bias]

    @property
    def by_item(self) -> list[keras.Variable]:
        """Weights, learned or fixed, with a row for each item."""
        return [*self.events.items.by_item, self.bias]

    def call(self, items: tf.Tensor, codes: tf.Tensor, gaps: tf.Tensor, training: bool = False) -> tf.Tensor:
        """items, codes: [batch, length] int32; gaps: [batch, length] int64 s -> states [batch, length, dim]."""
        return self.body(self.events(items, codes, gaps), items > 0, gaps, codes, training=training)

    def score_items(self, states: tf.Tensor, periods: tf.Tensor) -> tf.Tensor:
        """states: [n, dim], periods: [n] int -> scores of items 1 to n_items: [n, n_items] float32; for learning."""
        vectors, offsets = self.events.every_vector()[1:], self._offsets(periods)[:, 1:]
        if self.n_periods == 0 and states.dtype == tf.float32:
            # The same for all: as a column beside the vectors it saves passes over all scores.
            both = tf.concat([vectors, tf.transpose(offsets)], axis=1)
            return tf.matmul(tf.pad(states, [[0, 0], [0, 1]], constant_values=1.0), both, transpose_b=True)
        return tf.cast(tf.matmul(states, tf.cast(vectors, states.dtype), transpose_b=True), tf.float32) + offsets

    def score_all(self, states: tf.Tensor, periods: tf.Tensor) -> tf.Tensor:
        """As score_items, with a column for padding, which no one wants: [n, n_items + 1]; for serving."""
        never = tf.one_hot(0, self.n_items + 1, on_value=_NEVER, off_value=0.0)
        return self.events.scores(tf.cast(states, tf.float32)) + (self._offsets(periods) + never)

    def _offsets(self, periods: tf.Tensor) -> tf.Tensor:
        """What is added to the product: [n or 1, n_items + 1]."""
        if self.n_periods == 0:  # one prior for all: no matrix of its own
            return (self.bias.value + self.prior.value[0])[None]
        return tf.gather(self.prior.value, periods) + self.bias.value

    def score_some(self, states: tf.Tensor, periods: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        """Scores of these items: states [n, dim], periods [n], items [n, k] -> [n, k]."""
        cell = tf.stack([tf.broadcast_to(periods[:, None], tf.shape(items)), items], axis=-1)
        offsets = tf.gather(self.bias.value, items) + tf.gather_nd(self.prior.value, cell)
        return tf.cast(tf.einsum("nd,nkd->nk", states, self.events.vectors_of(items)), tf.float32) + offsets

    def score_shared(self, states: tf.Tensor, periods: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        """Scores of the same items everywhere: states [n, dim], periods [n], items [k] -> [n, k]."""
        prior = tf.gather(tf.gather(self.prior.value, items, axis=1), periods)
        scores = tf.cast(tf.matmul(states, self.events.vectors_of(items), transpose_b=True), tf.float32)
        return scores + tf.gather(self.bias.value, items) + prior

    def get_config(self) -> dict[str, object]:
        """What makes the network again."""
        shape = {"n_items": self.n_items, "n_periods": self.n_periods}
        tasks = list(self.heads.tasks) if self.heads is not None else []
        sizes = self.events.attributes.sizes if self.events.attributes is not None else None
        told = {"tasks": tasks, "attributes": sizes}
        return {"name": self.name, "model": asdict(self.conf), **shape, **told}


def _body(conf: ModelConf) -> Transformer | GruStack | LstmStack:
    if conf.architecture == "gru":
        return GruStack(conf.dim, conf.n_blocks, conf.dropout, name="body")
    if conf.architecture == "lstm":
        return LstmStack(conf.dim, conf.n_blocks, conf.dropout, name="body")
    return Transformer(
        conf.architecture,
        conf.dim,
        conf.n_blocks,
        conf.n_heads,
        conf.dropout,
        conf.attention_dropout,
        conf.max_length,
        conf.by_kind,
        name="body",
    )


def build_network(
    conf: TrainingConf, n_items: int, prior: Float32s, attributes: Sequence[ItemAttribute] = ()
) -> NextItem:
    """A network with its first weights, drawn by the seed. prior: [n_periods + 1, n_items + 1].

    It computes in conf.precision; its weights and scores are float32.
    Errors: TrainingError where attributes are not those that conf.model asks for.
    """
    found, asked = tuple(attribute.name for attribute in attributes), conf.model.attributes
    if found != asked:
        raise TrainingError(
            f"training.model.attributes: found {', '.join(found) or 'none'} of the items; expected "
            f"{', '.join(asked) or 'none'}. Give the snapshot's items these, or ask for what there is."
        )
    sizes = {attribute.name: len(attribute.names) for attribute in attributes}
    keras.utils.set_random_seed(conf.seed)
    with computing_in(conf.precision):
        network = NextItem(conf.model, n_items, prior.shape[0] - 1, conf.heads.tasks, sizes, name="next_item")
    if network.events.attributes is not None:
        network.events.attributes.tell(attributes)
    network.prior.assign(prior)
    return network


def seed_dropout(network: NextItem, seed: tuple[int, ...]) -> None:
    """Starts the dropout of an epoch anew, so that a resumed run drops what an undisturbed one drops."""
    saved = {id(variable) for variable in network.weights}
    states = [variable for variable in network.variables if id(variable) not in saved]
    for place, state in enumerate(states):
        words = np.random.SeedSequence([*seed, place]).generate_state(2, np.uint32)
        state.assign(words.astype(state.dtype))
