"""What will a customer pay next period, from what was paid in those before? A baseline that sees nothing else."""

from dataclasses import dataclass

import keras
import numpy as np

from ulm_spark.config.errors import TrainingError
from ulm_spark.sequence.rows import Float32s, Float64s


@dataclass(frozen=True)
class SeriesConf:
    """dim: of the state. patience: epochs without a better loss of the held-out customers, after which the best one's
    weights are kept."""

    dim: int = 32
    learning_rate: float = 5e-3
    batch_size: int = 128
    max_epochs: int = 60
    patience: int = 6
    validation_share: float = 0.1
    seed: int = 20111209


@dataclass(frozen=True)
class ValueSeries:
    """A fitted series. mean: of a period's value in training, in which the network counts."""

    network: keras.Model
    mean: float


def fit_value_series(values: Float64s, conf: SeriesConf | None = None) -> ValueSeries:
    """An LSTM that says the expected value of each next period.

    In:     values [n, periods], oldest first: currency of one kind, below 0 counts as 0; NaN before a customer came.
    Rule:   the loss is that of a Poisson mean, mu - value * log(mu), whose best mu is the mean whatever the values'
            distribution, zeros and fractions too.
    Errors: TrainingError with fewer than 2 periods, or without any value above 0.
    Source: Hochreiter & Schmidhuber (1997), Long Short-Term Memory, Neural Computation 9(8), 1735-1780; Gourieroux,
            Monfort & Trognon (1984), Pseudo Maximum Likelihood Methods: Theory, Econometrica 52(3), 681-700.
    """
    conf = conf or SeriesConf()
    paid = values[np.isfinite(values)]
    if values.shape[1] < 2 or not (paid > 0).any():
        raise TrainingError(
            f"value series: found {values.shape[1]} periods and {int((paid > 0).sum())} values above 0; expected 2 "
            "periods or more, and some value. Give a longer span of purchases."
        )
    mean = float(np.maximum(paid, 0.0).mean())
    inputs = _inputs(values, mean)
    known = np.isfinite(values)
    targets = np.where(known, np.maximum(values, 0.0), 0.0)[:, 1:, None] / mean
    keras.utils.set_random_seed(conf.seed)
    order = np.random.default_rng(conf.seed).permutation(len(values))  # Keras holds the last ones out
    network = _network(conf)
    network.fit(
        inputs[order, :-1],
        targets[order].astype(np.float32),
        sample_weight=known[order, :-1].astype(np.float32),
        batch_size=conf.batch_size,
        epochs=conf.max_epochs,
        validation_split=conf.validation_share,
        callbacks=[keras.callbacks.EarlyStopping(patience=conf.patience, restore_best_weights=True)],
        verbose=0,
    )
    return ValueSeries(network, mean)


def predict_next_value(model: ValueSeries, values: Float64s) -> Float64s:
    """The expected value of the period after the last: values [n, periods] as fit_value_series' -> [n], 0 or more."""
    said = model.network.predict(_inputs(values, model.mean), verbose=0)
    return np.asarray(said[:, -1, 0], np.float64) * model.mean


def _inputs(values: Float64s, mean: float) -> Float32s:
    """Logarithm of the value, and 1 where it is known: [n, periods, 2]; zeros where it is not."""
    known = np.isfinite(values)
    paid = np.where(known, np.maximum(values, 0.0), 0.0) / mean
    return np.asarray(np.stack([np.log1p(paid), known], axis=-1), np.float32)


def _network(conf: SeriesConf) -> keras.Model:
    told = keras.Input((None, 2))
    states = keras.layers.LSTM(conf.dim, return_sequences=True, use_cudnn=False)(keras.layers.Masking()(told))
    network = keras.Model(told, keras.layers.Dense(1, activation="exponential")(states))
    network.compile(keras.optimizers.Adam(conf.learning_rate), loss="poisson")
    return network
