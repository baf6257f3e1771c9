"""User lifecycle management for e-commerce on Spark, Delta and TensorFlow."""

__version__ = "0.1.0"
