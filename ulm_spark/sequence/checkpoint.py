"""What a training needs to go on after it was killed: one file, replaced as a whole after each epoch."""

import json
import os
import time
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ulm_spark.config.errors import TrainingError
from ulm_spark.sequence.snapshot import Manifest
from ulm_spark.sequence.storage import UNREADABLE

_FILE = "state.npz"
Arrays = list[NDArray[np.generic]]


@dataclass(frozen=True)
class Progress:
    """How far a training is.

    epoch: epochs done. n_pools: pools done of the next one, losses and weights the sums over their targets. best_*: of
    the best epoch. n_worse: epochs since it.
    """

    epoch: int = 0
    n_pools: int = 0
    losses: float = 0.0
    weights: float = 0.0
    best_epoch: int = 0
    best_ndcg: float = -1.0
    best_loss: float = 0.0
    best_score: float = 0.0
    n_worse: int = 0

    def numbers(self) -> NDArray[np.float64]:
        """The fields in order, to be sent to other ranks."""
        return np.array(astuple(self), np.float64)

    @classmethod
    def of(cls, numbers: NDArray[np.float64]) -> "Progress":
        """From what numbers gave."""
        names = [field.name for field in fields(cls)]
        told = {name: float(number) for name, number in zip(names, numbers, strict=True)}
        whole = {name: int(told[name]) for name in ("epoch", "n_pools", "best_epoch", "n_worse")}
        return cls(**{**told, **whole})  # type: ignore[arg-type]  # the counts are whole again


@dataclass(frozen=True)
class Checkpoint:
    """The state after an epoch. state: weights and optimizer, in the order of Training's. best: weights of the
    best epoch."""

    progress: Progress
    state: Arrays
    best: Arrays


class CheckpointWriter:
    """Writes states beside config, snapshot and vocabulary; after each epoch, and between when minutes have gone by."""

    def __init__(self, manifest: Manifest, vocabulary: tuple[str, ...]) -> None:
        self._manifest, self._vocabulary = manifest, vocabulary
        self._wrote_s = time.monotonic()

    def keep(self, checkpoint: Checkpoint) -> None:
        """Writes the state where it is time to."""
        is_due = time.monotonic() - self._wrote_s >= 60.0 * self._manifest.conf.checkpoint_minutes
        if checkpoint.progress.n_pools == 0 or is_due:
            save_checkpoint(self._manifest, self._vocabulary, checkpoint)
            self._wrote_s = time.monotonic()


def save_checkpoint(manifest: Manifest, vocabulary: tuple[str, ...], checkpoint: Checkpoint) -> None:
    """Writes the state; a reader sees the old file or the new one, whole.

    Errors: TrainingError where it cannot be written; the old file is then still there.
    """
    folder = Path(manifest.checkpoint_dir)
    arrays: dict[str, NDArray[np.generic]] = {
        "progress": np.array(json.dumps(asdict(checkpoint.progress))),
        "manifest": np.array(manifest.to_json()),
        "vocabulary": np.array(vocabulary, dtype=np.str_),
    }
    arrays |= {f"state_{place}": value for place, value in enumerate(checkpoint.state)}
    arrays |= {f"best_{place}": value for place, value in enumerate(checkpoint.best)}
    temporary = folder / f".{_FILE}.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as stream:
            np.savez(stream, **arrays)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, folder / _FILE)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise TrainingError(
            f"checkpoint: found that {folder} cannot be written ({error.strerror}); expected room for the state. The "
            "last checkpoint is kept. Make room, and run train_sequence again."
        ) from error


def load_checkpoint(manifest: Manifest) -> Checkpoint | None:
    """The state of an earlier run of the same snapshot and settings, None where there is none.

    Errors: TrainingError where it cannot be read.
    """
    path = Path(manifest.checkpoint_dir) / _FILE
    if not path.exists():
        return None
    try:
        with np.load(path) as stored:
            if json.loads(str(stored["manifest"]))["checksum"] != manifest.key():
                return None
            progress = Progress(**json.loads(str(stored["progress"])))
            return Checkpoint(progress, _numbered(stored, "state"), _numbered(stored, "best"))
    except UNREADABLE as error:
        raise TrainingError(
            f"checkpoint: found that {path} cannot be read ({error}); expected the state of an earlier run. Remove it, "
            "and run train_sequence again: it begins anew."
        ) from error


def _numbered(stored: "np.lib.npyio.NpzFile", name: str) -> Arrays:
    n_arrays = sum(key.startswith(f"{name}_") for key in stored.files)
    return [stored[f"{name}_{place}"] for place in range(n_arrays)]
