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
    optimiser=OptimiserConf(learning_rate=1e-3),
    feed=FeedConf(),
    launch=LaunchConf("inline", threads_per_rank=0),
    validation_share=1.0,
    max_validation_users=EVERYONE,
    batch_size=128,
    max_epochs=200,
    patience=10,
)
# Plain forms: the Transformer of Kang & McAuley, 2018, with a loss among all items; the others in its place.
PLAIN = {
    "beauty": ModelConf("sasrec", dim=64, n_blocks=2, n_heads=1, dropout=0.5, attention_dropout=0.5, max_length=50),
    "ml1m": ModelConf("sasrec", dim=64, n_blocks=2, n_heads=1, dropout=0.2, attention_dropout=0.2, max_length=200),
    "retailrocket": ModelConf(
        "sasrec", dim=64, n_blocks=2, n_heads=1, dropout=0.5, attention_dropout=0.5, max_length=20
    ),
}
# The rate falls along a half cosine, and the running mean of weights is what counts.
FALLING = OptimiserConf(learning_rate=1e-3, decay=0.05, average=0.999)
SHORT = ModelConf("sasrec", dim=128, n_blocks=2, n_heads=2, dropout=0.5, attention_dropout=0.5, input="normed")
OURS = {
    "beauty": replace(
        PUBLISHED,
        model=SHORT,
        targets=replace(PUBLISHED.targets, prefixes=True),  # histories are so short that each place is worth a row
        optimiser=FALLING,
        batch_size=43,
        max_epochs=20,
        patience=8,
    ),
    "ml1m": replace(
        PUBLISHED,
        model=ModelConf("gated", dim=128, n_blocks=2, dropout=0.3, max_length=200, places="none", input="normed"),
        targets=replace(PUBLISHED.targets, n_windows=12),
        loss=LossConf("full", spares_history=True),
        optimiser=FALLING,
        batch_size=32,
        max_epochs=30,
    ),
    "retailrocket": replace(
        PUBLISHED,
        model=replace(SHORT, dropout=0.3, attention_dropout=0.3, max_length=20),
        targets=replace(PUBLISHED.targets, n_events=3),
        prior=PriorConf(days=7, half_life_days=7.0),
        optimiser=FALLING,
        max_epochs=12,
    ),
}


def recipe(dataset: str, model: str) -> TrainingConf:
    """The settings of one training."""
    conf = OURS[dataset] if model == "ours" else replace(PUBLISHED, model=replace(PLAIN[dataset], architecture=model))
    if dataset == "retailrocket":  # sessions may see an item again; those that validate are a tenth
        targets = replace(conf.targets, exclude_seen=False)
        conf = replace(conf, targets=targets, loss=LossConf("sampled", n_sampled=4096), validation_share=0.1)
    return conf
