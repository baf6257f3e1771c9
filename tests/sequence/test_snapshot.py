import json
from dataclasses import replace

import pytest

from jobs import train_sequence
from tests.sequence.histories import SMALL, snapshot_of
from ulm_spark.config.errors import ConfigError, TrainingError
from ulm_spark.config.load import load
from ulm_spark.sequence.conf import LaunchConf, TrainingConf
from ulm_spark.sequence.launch import PARENT_PID, Listener, command, environment, progress_line
from ulm_spark.sequence.snapshot import ItemAttribute, Manifest, Snapshot, training_key

SNAPSHOT = snapshot_of(("file:/lake/a.parquet", "file:/lake/b.parquet"), 5)
MANIFEST = Manifest(SNAPSHOT, SMALL, "/model", "/checkpoint")


def test_a_snapshot_and_a_manifest_come_back_from_json() -> None:
    assert Snapshot.from_json(SNAPSHOT.to_json()) == SNAPSHOT
    assert Manifest.from_json(MANIFEST.to_json()) == MANIFEST


def test_a_manifest_that_was_changed_is_refused() -> None:
    changed = json.loads(MANIFEST.to_json())
    changed["snapshot"]["n_rows"] = 4
    with pytest.raises(TrainingError, match="checksum"):
        Manifest.from_json(json.dumps(changed))


def test_a_manifest_of_another_version_is_refused() -> None:
    changed = json.loads(MANIFEST.to_json())
    changed["conf"]["optimizer"] = "sgd"
    with pytest.raises(TrainingError, match="optimizer"):
        Manifest.from_json(json.dumps(changed))


def test_the_key_follows_rows_and_settings_and_not_the_folder() -> None:
    moved = replace(SNAPSHOT, files=("file:/elsewhere/a.parquet", "file:/elsewhere/b.parquet"))
    assert training_key(moved, SMALL) == training_key(SNAPSHOT, SMALL)
    assert training_key(replace(SNAPSHOT, n_rows=6), SMALL) != training_key(SNAPSHOT, SMALL)
    assert training_key(SNAPSHOT, replace(SMALL, seed=8)) != training_key(SNAPSHOT, SMALL)
    assert training_key(SNAPSHOT, replace(SMALL, launch=LaunchConf(n_ranks=7))) == training_key(SNAPSHOT, SMALL)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model.n_heads", 3),
        ("model.dropout", 1.0),
        ("model.max_length", 1),
        ("prior.half_life_days", 0.0),
        ("optimiser.learning_rate", 0.0),
        ("loss.calibration", 1.5),
        ("feed.n_ahead", 0),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"training.{field}"):
        load(None, train_sequence.Conf, (f"training.{field}={value}",))


def test_a_checkpoint_is_of_what_training_began_with() -> None:
    other = replace(MANIFEST, earlier="_models/sequence/other")
    known = replace(MANIFEST, attributes=(ItemAttribute("category", (1, 0, 2), ("a", "b")),))
    assert len({MANIFEST.key(), other.key(), known.key()}) == 3
    assert replace(MANIFEST, begin_from="/elsewhere").key() == MANIFEST.key()  # a copy of the same model
    for manifest in (other, known):
        assert Manifest.from_json(manifest.to_json()) == manifest


def test_ranks_on_found_hosts_end_with_no_process_of_this_machine() -> None:
    here = replace(SMALL, launch=LaunchConf("horovodrun", min_ranks=1))
    found = replace(SMALL, launch=LaunchConf("horovodrun", min_ranks=1, discovery="/bin/hosts"))
    assert PARENT_PID in environment(here)
    assert PARENT_PID not in environment(found)
    with pytest.raises(ConfigError, match=r"training\.launch\.discovery"):
        LaunchConf("horovodrun", min_ranks=1, hosts="a:1,b:1")


def test_inline_training_is_one_rank() -> None:
    assert TrainingConf(launch=LaunchConf("inline", n_ranks=4)).ranks == 1
    assert TrainingConf(launch=LaunchConf("horovodrun", n_ranks=4)).ranks == 4


def test_horovodrun_starts_the_same_program_on_each_rank(tmp_path: object) -> None:
    from pathlib import Path

    started = command(Path("/m/manifest.json"), replace(SMALL, launch=LaunchConf("horovodrun", n_ranks=3)))
    assert started[3:8] == ["--gloo", "-np", "3", "-H", "localhost:3"]
    assert started[-3:] == ["ulm_spark.sequence.train", "--manifest", "/m/manifest.json"]


def test_a_listener_tells_of_epochs_and_keeps_errors() -> None:
    told: list[str] = []
    listener = Listener(9, told.append)
    numbers = {"epoch": 2, "loss": 1.25, "ndcg": 0.5, "n_validation": 7, "rows_per_s": 1234.0, "wait_share": 0.03}
    listener.hear(f"[1,0]<stdout>:{progress_line(numbers)}\n")
    listener.hear('[1,1]<stdout>:ulm-progress {"epoch": 2, cut\n')
    listener.hear("ValueError: found no column\n")
    listener.hear("something later\n")
    assert told == [
        "epoch 2/9: loss 1.2500, validation NDCG@10 0.5000 over 7 users, 1,234 sequences/s, "
        "3% of the time waiting for rows"
    ]
    assert listener.last_words() == "ValueError: found no column"
