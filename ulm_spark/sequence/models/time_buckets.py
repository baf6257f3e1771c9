"""How long is a time, to a model? A number of powers of two of seconds."""

import tensorflow as tf

N_BUCKETS = 32  # 2 ** 31 s are 68 years


def time_bucket(seconds: tf.Tensor) -> tf.Tensor:
    """0 for no second, else 1 more than the whole part of log2: [...] int32, at most N_BUCKETS - 1."""
    # Half a second more keeps powers of two away from the edge, where engines that score round otherwise.
    known = tf.cast(tf.maximum(seconds, 0), tf.float32) + 0.5
    bucket = 1 + tf.cast(tf.math.floor(tf.math.log(known) / tf.math.log(2.0)), tf.int32)
    return tf.clip_by_value(bucket, 0, N_BUCKETS - 1)
