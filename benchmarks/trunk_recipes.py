"""Shops and settings of benchmarks.shared_trunk, chosen on the label day before the judged one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.trunk_examples import FACT_EVENTS, Shop
from ulm_spark.sequence.conf import AdapterConf, FeedConf, LaunchConf, TrainingConf
from ulm_spark.sequence.learning_conf import HeadsConf, OptimiserConf, TargetsConf, Task
from ulm_spark.sequence.model_conf import ModelConf

_CONF = Path(__file__).parent.parent / "conf"
_DATA = Path(__file__).parent.parent.parent / "shared" / "data"
NEXT_ITEM = "next_item"


@dataclass(frozen=True)
class ShopKind:
    """Where a shop comes from. tasks: those that its events can tell of. needs: a folder that must be there."""

    config: Path
    tasks: tuple[Task, ...]
    max_epochs: int
    needs: Path | None = None


SHOPS = {
    "demo": ShopKind(_CONF / "demo.yaml", ("action", "gap", "churn", "value", "conversion"), 32),
    # Its events are purchases alone: no visit ends without one, and the next event is always of one kind.
    "online_retail": ShopKind(_CONF / "online_retail.yaml", ("gap", "churn", "value"), 16, _DATA / "online_retail"),
}


def recipe(shop: Shop, tasks: Sequence[str]) -> TrainingConf:
    """The settings of one training that learns these of the shop's tasks, and of NEXT_ITEM."""
    learned = tuple(task for task in SHOPS[shop.name].tasks if task in tasks)
    heads = HeadsConf(
        tasks=learned,
        horizon_days=shop.horizon_days,
        visit_gap_s=shop.visit_gap_s,
        fact_events=FACT_EVENTS,
        n_queries=16,
        weight=0.5,
        next_item=NEXT_ITEM in tasks,
    )
    return TrainingConf(
        model=ModelConf(
            "gated", dim=64, n_blocks=1, n_heads=2, max_length=shop.max_length, places="none", input="normed"
        ),
        heads=heads,
        optimiser=OptimiserConf(learning_rate=3e-3, warmup_steps=50, decay=0.05, average=0.99),
        launch=LaunchConf("inline", threads_per_rank=0),
        feed=FeedConf("arrow"),
        targets=TargetsConf(n_events=5, n_positions=8, exclude_seen=False),
        max_epochs=SHOPS[shop.name].max_epochs,
        patience=6,
    )


def adapter_recipe(shop: Shop, tasks: Sequence[str], rank: int) -> TrainingConf:
    """As recipe, of a larger trunk; rank 0 trains everything."""
    conf = recipe(shop, tasks)
    large = replace(conf.model, dim=128, n_blocks=2)
    return replace(conf, model=large, adapter=AdapterConf(rank))
