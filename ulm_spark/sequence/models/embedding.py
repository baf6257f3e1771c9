"""What is known of one event: the item, what was done, how long after the event before, and how far back."""

from collections.abc import Mapping
from dataclasses import asdict

import keras
import tensorflow as tf
from dacite import from_dict

from ulm_spark.sequence.items_conf import ItemsConf
from ulm_spark.sequence.models.attributes import ItemAttributes
from ulm_spark.sequence.models.item_kinds import item_vectors
from ulm_spark.sequence.models.time_buckets import N_BUCKETS, time_bucket
from ulm_spark.sequence.rows import N_CODES

_NEAR_ZERO = 0.02


@keras.saving.register_keras_serializable(package="ulm_spark")
class EventEmbedding(keras.layers.Layer):
    """items, codes: [batch, length] int32; gaps: [batch, length] int64 seconds -> [batch, length, dim].

    place: from_start, from_end or none. A sequence padded to another length has the same vectors. Padded places give
    zeros. The item vectors also score: see ``vectors_of``. attributes: number of values of each that is known of items;
    an item's vector is its own and those of its attributes, added up.
    """

    def __init__(
        self,
        n_items: int,
        length: int,
        dim: int,
        place: str,
        is_normed: bool,
        items: dict[str, object] | ItemsConf,
        attributes: Mapping[str, int] | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.n_items, self.length, self.dim, self.place, self.is_normed = n_items, length, dim, place, is_normed
        self.kept = items if isinstance(items, ItemsConf) else from_dict(ItemsConf, items)
        deviation = _NEAR_ZERO if is_normed else dim**-0.5
        self.items = item_vectors(self.kept, n_items, dim, deviation, name="items")
        self.attributes = ItemAttributes(n_items, dim, attributes, name="attributes") if attributes else None
        self.norm = keras.layers.LayerNormalization(epsilon=1e-6, name="norm") if is_normed else None

    def build(self, input_shape: object) -> None:
        """Makes the tables; index 0 is padding in each."""
        near_zero = keras.initializers.RandomNormal(stddev=_NEAR_ZERO)
        self.items.build(None)
        if self.attributes is not None:
            self.attributes.build(None)
        if self.norm is not None:
            self.norm.build((None, None, self.dim))
        if self.place != "none":
            self.places = self.add_weight(shape=(self.length, self.dim), initializer=near_zero, name="places")
        self.codes = self.add_weight(shape=(N_CODES, self.dim), initializer=near_zero, name="codes")
        self.gaps = self.add_weight(shape=(N_BUCKETS, self.dim), initializer=near_zero, name="gaps")

    def vectors_of(self, items: tf.Tensor) -> tf.Tensor:
        """The vectors of these items: [...] -> [..., dim]."""
        own = self.items(items)
        return own if self.attributes is None else own + self.attributes(items)

    def every_vector(self) -> tf.Tensor:
        """The vectors of items 0 to n_items: [n_items + 1, dim] float32."""
        own = self.items.every()
        if self.attributes is None:
            return own
        return own + tf.cast(self.attributes(tf.range(self.n_items + 1)), own.dtype)

    def scores(self, states: tf.Tensor) -> tf.Tensor:
        """Products of states [n, dim] float32 with every vector, which is not put together: [n, n_items + 1]."""
        own = self.items.scores(states)
        return own if self.attributes is None else own + self.attributes.scores(states)

    def call(self, items: tf.Tensor, codes: tf.Tensor, gaps: tf.Tensor) -> tf.Tensor:
        """The sum of the vectors of each event."""
        length = tf.shape(items)[1]
        vectors = self.vectors_of(items)
        if self.norm is None:
            vectors *= self.dim**0.5  # the scale of Vaswani et al. (2017), 3.4
        if self.place == "from_end":
            vectors += self.places.value[self.length - length :]
        elif self.place == "from_start":
            number = tf.cumsum(tf.cast(items > 0, tf.int32), axis=1)
            vectors += tf.gather(self.places.value, tf.maximum(number - 1, 0))
        vectors += tf.gather(self.codes.value, codes)
        vectors += tf.gather(self.gaps.value, time_bucket(gaps))
        if self.norm is not None:
            vectors = self.norm(vectors)
        return vectors * tf.cast(items > 0, vectors.dtype)[..., None]

    def get_config(self) -> dict[str, object]:
        """What makes the layer again."""
        shape = {"n_items": self.n_items, "length": self.length, "dim": self.dim}
        how = {"place": self.place, "is_normed": self.is_normed, "items": asdict(self.kept)}
        sizes = self.attributes.sizes if self.attributes is not None else None
        return {"name": self.name, "attributes": sizes, **how, **shape}
