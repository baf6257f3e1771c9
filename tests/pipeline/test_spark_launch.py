"""What a rank on an executor is sent and sends back, in a process of its own."""

import io
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.sequence.histories import SMALL, VOCABULARY, manifest_of
from ulm_spark.pipeline.spark_launch import pack
from ulm_spark.sequence.launch import MANIFEST, WEIGHTS
from ulm_spark.sequence.launch import VOCABULARY as VOCABULARY_FILE
from ulm_spark.sequence.learning_conf import OptimiserConf

# Two trainings by train_rank: from nothing, and from the first one's model, of which no file is left.
PROGRAM = f"""
import json, shutil, sys, zipfile
from dataclasses import replace
from pathlib import Path
from ulm_spark.pipeline.spark_launch import pack, train_rank
from ulm_spark.sequence.snapshot import Manifest

folder, vocabulary = Path(sys.argv[1]), {VOCABULARY!r}
for name, earlier in (("first", b""), ("second", None)):
    manifest = Manifest.read(folder / (name + ".json"))
    if earlier is None:
        with zipfile.ZipFile(folder / "first.zip") as archive:
            archive.extractall(folder / "unpacked")
        (folder / "unpacked" / "{MANIFEST}").write_text((folder / "first.json").read_text())
        (folder / "unpacked" / "{VOCABULARY_FILE}").write_text(json.dumps(vocabulary))
        earlier = pack(folder / "unpacked", ("{MANIFEST}", "{VOCABULARY_FILE}", "{WEIGHTS}"))
        shutil.rmtree(folder / "unpacked")
    (folder / (name + ".zip")).write_bytes(train_rank(manifest.to_json(), vocabulary, earlier))
"""


def weights_in(path: Path) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    with zipfile.ZipFile(path) as archive, np.load(io.BytesIO(archive.read(WEIGHTS))) as stored:
        return {name: stored[name] for name in stored.files}


def test_a_rank_begins_with_the_model_that_it_is_sent(tmp_path: Path) -> None:
    first = manifest_of(tmp_path, 30, 2, replace(SMALL, max_epochs=1))
    still = OptimiserConf(learning_rate=1e-12)
    goes_on = replace(first.conf, continues=True, optimiser=still, seed=8)
    second = replace(first, conf=goes_on, begin_from=str(tmp_path / "gone"), earlier="_models/first")
    for name, manifest in (("first", first), ("second", second)):
        (tmp_path / f"{name}.json").write_text(manifest.to_json(), encoding="utf-8")
    subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], check=True, timeout=300)
    before, after = weights_in(tmp_path / "first.zip"), weights_in(tmp_path / "second.zip")
    assert before.keys() == after.keys()
    for name, value in before.items():
        if "prior" not in name:  # that is the day's own
            np.testing.assert_allclose(after[name][1:], value[1:], atol=1e-6, err_msg=name)


def test_only_the_files_that_are_meant_are_packed(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    with zipfile.ZipFile(io.BytesIO(pack(tmp_path, ("b",)))) as archive:
        assert archive.namelist() == ["b"]
