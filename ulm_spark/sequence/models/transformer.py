"""A causal Transformer over events: a stack of blocks of one kind."""

import keras
import tensorflow as tf

from ulm_spark.sequence.models.attention import buckets_between, causal_mask, pairs_of
from ulm_spark.sequence.models.gated import GatedBlock
from ulm_spark.sequence.models.sasrec import CausalBlock


@keras.saving.register_keras_serializable(package="ulm_spark")
class Transformer(keras.layers.Layer):
    """vectors [batch, length, dim], is_item [batch, length] -> states [batch, length, dim].

    block: sasrec or gated. length: the greatest. by_kind: attention of gated blocks has a bias for each pair of kinds
    of events. is_item is True where an event stands; a padded place is never looked at.
    """

    def __init__(
        self,
        block: str,
        dim: int,
        n_blocks: int,
        n_heads: int,
        dropout: float,
        attention_dropout: float,
        length: int,
        by_kind: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.block, self.dim, self.n_blocks, self.n_heads, self.length = block, dim, n_blocks, n_heads, length
        self.dropout, self.attention_dropout, self.by_kind = dropout, attention_dropout, by_kind
        self.blocks: list[CausalBlock | GatedBlock] = [
            GatedBlock(dim, n_heads, dropout, attention_dropout, length, by_kind, name=f"block_{number}")
            if block == "gated"
            else CausalBlock(dim, n_heads, dropout, attention_dropout, name=f"block_{number}")
            for number in range(n_blocks)
        ]
        self.drop = keras.layers.Dropout(dropout)
        self.last = keras.layers.LayerNormalization(epsilon=1e-6, name="last")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the weights of the blocks."""
        for block in self.blocks:
            block.build(input_shape)
        self.last.build(input_shape)

    def call(
        self, vectors: tf.Tensor, is_item: tf.Tensor, gaps: tf.Tensor, codes: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """The state after each place. gaps: [batch, length] s, since the event before. codes: likewise, its kind."""
        may_see, buckets, pairs = causal_mask(is_item), buckets_between(gaps), pairs_of(codes)
        states = self.drop(vectors, training=training)
        for block in self.blocks:
            states = block(states, may_see, buckets, pairs, training=training)
        return self.last(states)

    def get_config(self) -> dict[str, object]:
        """What makes the layer again."""
        shape = {"dim": self.dim, "n_blocks": self.n_blocks, "n_heads": self.n_heads, "length": self.length}
        shares = {"dropout": self.dropout, "attention_dropout": self.attention_dropout}
        kinds = {"block": self.block, "by_kind": self.by_kind}
        return {"name": self.name, **kinds, **shape, **shares}
