"""What does a network compute in? Its layers take it on when they are made; weights are float32 always."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras

from ulm_spark.sequence.conf import Precision


@contextmanager
def computing_in(precision: Precision) -> Iterator[None]:
    """Layers made inside compute in precision, those made after it as before.

    Source: Micikevicius et al. (2018), Mixed Precision Training, ICLR, 3.1, for weights that stay float32.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32" if precision == "float32" else f"mixed_{precision}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
