"""Folders of trained models: a new one for each run, so that no reader sees half of one."""

import atexit
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ulm_spark.lake.files import Files


@dataclass(frozen=True)
class ModelDir:
    """One model's folder.

    relative: below the lake's root, as ops.*_models.path stores it. uri: as Spark reads it.
    make_local: brings its files to this machine, for whoever asks for local.
    """

    relative: str
    uri: str
    make_local: Callable[[], Path]

    @cached_property
    def local(self) -> Path:
        """As this machine's programs read it; where the lake is elsewhere, a staging copy made when first asked for."""
        return self.make_local()


def new_model_dir(files: Files, name: str, run_id: str) -> ModelDir:
    """An empty folder for the model that a run trains."""
    relative = f"_models/{name}/{run_id}"
    files.delete(relative)

    def make_local() -> Path:
        folder = files.local(relative) or _staging()
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    return ModelDir(relative, f"{files.root}/{relative}", make_local)


def model_dir(files: Files, relative: str) -> ModelDir:
    """A stored model's folder."""

    def make_local() -> Path:
        own = files.local(relative)
        if own is not None:
            return own
        folder = _staging()
        files.download(relative, folder)
        return folder

    return ModelDir(relative, f"{files.root}/{relative}", make_local)


def publish(files: Files, directory: ModelDir) -> None:
    """Brings what was written into local to the lake."""
    if files.local(directory.relative) is None:
        files.upload(directory.local, directory.relative)
        shutil.rmtree(directory.local)


def _staging() -> Path:
    """A name on this machine for a folder of this process's own, gone when it ends."""
    folder = tempfile.mkdtemp(prefix="ulm-model-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder) / "model"
