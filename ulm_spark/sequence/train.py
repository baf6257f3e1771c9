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

from ulm_spark.config.errors import TrainingError, UlmError
from ulm_spark.sequence.checkpoint import Checkpoint, CheckpointWriter, load_checkpoint
from ulm_spark.sequence.elastic import train_elastic
from ulm_spark.sequence.event_log import EventLog
from ulm_spark.sequence.export import export_model
from ulm_spark.sequence.launch import LOGS, PARENT_PID, VOCABULARY, progress_line
from ulm_spark.sequence.loop import Keep, Report, Trained, Training
from ulm_spark.sequence.ranks import Ranks
from ulm_spark.sequence.snapshot import Manifest


def train(manifest: Manifest, vocabulary: tuple[str, ...], report: Report) -> Trained:
    """Trains as one of the ranks that Horovod finds; rank 0 reports, writes checkpoints, and exports at the end."""
    ranks = Ranks()
    ranks.use_own_device(manifest.conf.launch.threads_per_rank)
    tf.config.experimental.enable_op_determinism()  # a resumed run ends with the weights of an undisturbed one
    writer = CheckpointWriter(manifest, vocabulary)

    def write(checkpoint: Checkpoint) -> None:
        if Ranks.is_first_now():
            writer.keep(checkpoint)

    def run(begun: Checkpoint | None, keep: Keep) -> Trained:
        now = Ranks()
        return Training(manifest, vocabulary, now).run(
            _logged(report, manifest) if now.is_first else _silent, keep, begun
        )

    begun = load_checkpoint(manifest) if ranks.is_first else None
    trained = train_elastic(begun, run, write) if manifest.conf.is_elastic else run(begun, write)
    if Ranks.is_first_now():
        folder = Path(manifest.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            export_model(trained.network, trained.metrics, folder, manifest.conf.stored)
        except (OSError, tf.errors.OpError) as error:
            raise TrainingError(
                f"export: found that {folder} cannot be written ({error}); expected room for the model. The last "
                "checkpoint is kept. Make room, and run train_sequence again."
            ) from error
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


def _logged(report: Report, manifest: Manifest) -> Report:
    """Reports, and keeps what TensorBoard shows beside the model."""
    log = EventLog(Path(manifest.output_dir) / LOGS)

    def both(numbers: dict[str, float]) -> None:
        log.write({name: number for name, number in numbers.items() if name != "epoch"}, int(numbers["epoch"]))
        report(numbers)

    return both


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
