"""Settings of benchmarks.sequence_quality, by data set and model; chosen on validation alone."""

from dataclasses import replace

from ulm_spark.sequence.conf import FeedConf, LaunchConf, TrainingConf
from ulm_spark.sequence.learning_conf import LossConf, OptimiserConf, PriorConf, TargetsConf
from ulm_spark.sequence.model_conf import ModelConf

EVERYONE = 2**40
# Every place of every history is learned from, and everyone's last known item validates.
PUBLISHED = TrainingConf(
    targets=TargetsConf(n_events=1, n_positions=0, exclude_seen=True, exclude_repeats=False),
    prior=PriorConf(is_used=False),
    loss=LossConf("full"),
    feed=FeedConf(),
    launch=LaunchConf("inline", threads_per_rank=0),
    validation_share=1.0,
    max_validation_users=EVERYONE,
    batch_size=128,
    max_epochs=200,
    patience=20,
)
MODELS = {
    "beauty": ModelConf("gated", dim=64, n_blocks=1, n_heads=1, dropout=0.2, attention_dropout=0.2, max_length=50),
    "ml1m": ModelConf("gated", dim=64, n_blocks=2, n_heads=1, dropout=0.1, attention_dropout=0.1, max_length=200),
    "retailrocket": ModelConf("gated", dim=100, n_blocks=1, n_heads=1, dropout=0.3, max_length=20),
}


def recipe(dataset: str, model: str) -> TrainingConf:
    """The settings of one training."""
    conf = replace(PUBLISHED, model=MODELS[dataset], optimiser=OptimiserConf(learning_rate=1e-3))
    if dataset == "retailrocket":  # sessions may see an item again; those that validate are a tenth
        conf = replace(conf, targets=replace(conf.targets, exclude_seen=False), validation_share=0.1)
    return replace(conf, model=replace(conf.model, architecture=model))
