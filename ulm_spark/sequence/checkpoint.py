"""What a training needs to go on after it was killed: one file, replaced as a whole after each epoch."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ulm_spark.sequence.snapshot import Manifest

_FILE = "state.npz"
Arrays = list[NDArray[np.generic]]


@dataclass(frozen=True)
class Progress:
    """How far a training is. epoch: epochs done. best_*: of the best epoch. n_worse: epochs since it."""

    epoch: int = 0
    best_epoch: int = 0
    best_ndcg: float = -1.0
    best_loss: float = 0.0
    n_worse: int = 0


@dataclass(frozen=True)
class Checkpoint:
    """The state after an epoch. state: weights and optimizer, in the order of Stepper.variables. best: weights of the
    best epoch."""

    progress: Progress
    state: Arrays
    best: Arrays


def save_checkpoint(manifest: Manifest, vocabulary: tuple[str, ...], checkpoint: Checkpoint) -> None:
    """Writes the state beside config, snapshot and vocabulary; a reader sees the old file or the new one, whole."""
    folder = Path(manifest.checkpoint_dir)
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, NDArray[np.generic]] = {
        "progress": np.array(json.dumps(asdict(checkpoint.progress))),
        "manifest": np.array(manifest.to_json()),
        "vocabulary": np.array(vocabulary, dtype=np.str_),
    }
    arrays |= {f"state_{place}": value for place, value in enumerate(checkpoint.state)}
    arrays |= {f"best_{place}": value for place, value in enumerate(checkpoint.best)}
    temporary = folder / f".{_FILE}.{os.getpid()}"
    with temporary.open("wb") as stream:
        np.savez(stream, **arrays)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, folder / _FILE)


def load_checkpoint(manifest: Manifest) -> Checkpoint | None:
    """The state of an earlier run of the same snapshot and settings, None where there is none."""
    path = Path(manifest.checkpoint_dir) / _FILE
    if not path.exists():
        return None
    with np.load(path) as stored:
        if json.loads(str(stored["manifest"]))["checksum"] != manifest.key():
            return None
        progress = Progress(**json.loads(str(stored["progress"])))
        return Checkpoint(progress, _numbered(stored, "state"), _numbered(stored, "best"))


def _numbered(stored: "np.lib.npyio.NpzFile", name: str) -> Arrays:
    n_arrays = sum(key.startswith(f"{name}_") for key in stored.files)
    return [stored[f"{name}_{place}"] for place in range(n_arrays)]
