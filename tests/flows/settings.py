"""Configurations small enough for tests that run whole jobs."""

from pathlib import Path

import yaml

from tests.session import SETTINGS


def write_config(path: Path, sections: dict[str, dict[str, object]]) -> Path:
    """A config file with the tests' Spark settings and these sections."""
    path.write_text(yaml.safe_dump({"spark": {"settings": SETTINGS}, **sections}), encoding="utf-8")
    return path


def small_shop_config(folder: Path, storage: str) -> Path:
    """The synthetic shop with 150 shoppers over 130 days, lake and files in storage, and models that train in seconds.

    The config itself lies in folder, since it is read by Python.
    """
    return write_config(
        folder / "small_shop.yaml",
        {
            "lake": {"root": f"{storage}/lake"},
            "shop": {"zone": "Europe/Berlin"},
            "simulation": {
                "landing": f"{storage}/landing",
                "n_users": 150,
                "n_items": 60,
                "n_days": 130,
                "catalogue": {"late_share": 0.5},  # so that some items come after the day that tests run for
            },
            "source": {"path": f"{storage}/landing"},
            "segments": {"model": "kmeans", "k_min": 2, "k_max": 3, "n_resamples": 1},
            "personas": {"n_topics": 2, "topic_iterations": 3},
            "churn": {"n_label_days": 2, "max_iter": 3},
            "training": {"model": {"dim": 16}, "max_epochs": 1, "launch": {"n_ranks": 2}},
        },
    )
