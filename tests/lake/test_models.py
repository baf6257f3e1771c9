"""A model's files come to this machine only for who asks for them."""

from pathlib import Path

import pytest

from ulm_spark.lake.files import LocalFiles
from ulm_spark.lake.models import model_dir, new_model_dir, publish


class ElsewhereFiles(LocalFiles):
    """A tree that can be reached by its methods alone."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.n_downloads = 0

    def local(self, relative: str) -> Path | None:
        return None

    def download(self, relative: str, target: Path) -> None:
        self.n_downloads += 1
        super().download(relative, target)


@pytest.fixture
def elsewhere(tmp_path: Path) -> ElsewhereFiles:
    return ElsewhereFiles(tmp_path / "lake")


def test_a_stored_model_elsewhere_is_fetched_once_and_only_when_asked_for(elsewhere: ElsewhereFiles) -> None:
    elsewhere.write_bytes("_models/m/1/weights", b"w")
    stored = model_dir(elsewhere, "_models/m/1")
    assert stored.uri == f"{elsewhere.root}/_models/m/1"
    assert elsewhere.n_downloads == 0
    assert (stored.local / "weights").read_bytes() == b"w"
    assert (stored.local / "weights").read_bytes() == b"w"
    assert elsewhere.n_downloads == 1


def test_a_new_model_elsewhere_is_staged_here_until_it_is_published(elsewhere: ElsewhereFiles, tmp_path: Path) -> None:
    elsewhere.write_bytes("_models/m/1/before", b"gone")
    made = new_model_dir(elsewhere, "m", "1")
    assert list(made.local.iterdir()) == []
    assert not made.local.is_relative_to(tmp_path)
    (made.local / "weights").write_bytes(b"w")
    assert elsewhere.read_bytes("_models/m/1/weights") is None
    publish(elsewhere, made)
    assert elsewhere.read_bytes("_models/m/1/weights") == b"w"
    assert elsewhere.read_bytes("_models/m/1/before") is None
    assert not made.local.exists()


def test_a_model_of_this_machines_lake_is_used_where_it_lies(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    made = new_model_dir(files, "m", "1")
    assert made.local == tmp_path / "_models" / "m" / "1"
    (made.local / "weights").write_bytes(b"w")
    publish(files, made)
    assert (model_dir(files, made.relative).local / "weights").read_bytes() == b"w"
