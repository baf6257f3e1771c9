"""Where the real data sets lie, for tests that need them."""

import os
from pathlib import Path

import pytest

_PROJECT = Path(__file__).resolve().parents[1]


def data_folder(name: str) -> Path:
    """The folder of a data set, below $ULM_DATA or shared/data beside the project; skips where it is absent."""
    root = Path(os.environ.get("ULM_DATA", _PROJECT.parent / "shared" / "data"))
    folder = root / name
    if not folder.is_dir():
        pytest.skip(f"no real data: found no folder {name} below {root}; set ULM_DATA to the folder of the data sets")
    return folder
