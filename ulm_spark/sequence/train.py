"""The program that each rank runs: ``python -m ulm_spark.sequence.train --manifest FILE``."""

import argparse
import json
import os
import sys
import threading
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf

from ulm_spark.config.errors import UlmError
from ulm_spark.sequence.export import export_model
from ulm_spark.sequence.launch import PARENT_PID, VOCABULARY, progress_line
from ulm_spark.sequence.loop import Report, Trained, Training
from ulm_spark.sequence.ranks import Ranks
from ulm_spark.sequence.snapshot import Manifest


def train(manifest: Manifest, vocabulary: tuple[str, ...], report: Report) -> Trained:
    """Trains as one of the ranks that Horovod finds; rank 0 reports, writes checkpoints, and exports at the end."""
    ranks = Ranks()
    ranks.use_own_device(manifest.conf.threads_per_rank)
    tf.config.experimental.enable_op_determinism()  # a resumed run ends with the weights of an undisturbed one
    trained = Training(manifest, vocabulary, ranks).run(report if ranks.is_first else _silent)
    if ranks.is_first:
        folder = Path(manifest.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        export_model(trained.network, trained.metrics, folder)
    return trained


def main(argv: list[str] | None = None) -> int:
    """Reads the manifest, trains, gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--manifest", type=Path, required=True, help="manifest.json; vocabulary.json lies beside it")
    options = parser.parse_args(argv)
    _end_with_parent()
    try:
        manifest = Manifest.read(options.manifest)
        vocabulary = tuple(json.loads((options.manifest.parent / VOCABULARY).read_text(encoding="utf-8")))
        train(manifest, vocabulary, lambda numbers: print(progress_line(numbers), flush=True))
    except UlmError as error:
        print(f"TrainingError: {error}", file=sys.stderr, flush=True)
        return error.exit_code
    return 0


def _silent(numbers: dict[str, float]) -> None:
    """Ranks beside the first say nothing."""


def _end_with_parent() -> None:
    """Ends this process soon after the job that launched it was killed, so that no second one trains beside it."""
    parent = os.environ.get(PARENT_PID)
    if parent is None:
        return

    def watch(pid: int) -> None:
        while Path(f"/proc/{pid}").exists():
            time.sleep(0.5)
        os._exit(1)

    if Path("/proc").is_dir():
        threading.Thread(target=watch, args=(int(parent),), daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
