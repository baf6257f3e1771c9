"""Folders of trained models: a new one for each run, so that no reader sees half of one."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ulm_spark.lake.files import Files


@dataclass(frozen=True)
class ModelDir:
    """One model's folder.

    relative: below the lake's root, as ops.*_models.path stores it. uri: as Spark reads it.
    local: as this machine's programs read it; a staging copy where the lake is elsewhere.
    """

    relative: str
    uri: str
    local: Path


def new_model_dir(files: Files, name: str, run_id: str) -> ModelDir:
    """An empty folder for the model that a run trains."""
    relative = f"_models/{name}/{run_id}"
    files.delete(relative)
    directory = _open(files, relative)
    directory.local.mkdir(parents=True, exist_ok=True)
    return directory


def model_dir(files: Files, relative: str) -> ModelDir:
    """A stored model's folder, with its files at hand on this machine."""
    directory = _open(files, relative)
    if files.local(relative) is None:
        files.download(relative, directory.local)
    return directory


def publish(files: Files, directory: ModelDir) -> None:
    """Brings what was written into local to the lake."""
    if files.local(directory.relative) is None:
        files.upload(directory.local, directory.relative)
        shutil.rmtree(directory.local)


def _open(files: Files, relative: str) -> ModelDir:
    local = files.local(relative)
    if local is None:
        local = Path(tempfile.mkdtemp(prefix="ulm-model-")) / "model"
    return ModelDir(relative, f"{files.root}/{relative}", local)
