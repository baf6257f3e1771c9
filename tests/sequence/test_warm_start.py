"""A model that goes on with new days: it knows what it knew, and learns what is new."""

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.sequence.histories import KNOWN_UNTIL_S, N_ITEMS, SMALL, VOCABULARY, rows
from ulm_spark.config.errors import TrainingError
from ulm_spark.sequence.batches import Batch
from ulm_spark.sequence.export import export_model
from ulm_spark.sequence.items_conf import ItemsConf
from ulm_spark.sequence.launch import VOCABULARY as VOCABULARY_FILE
from ulm_spark.sequence.launch import WEIGHTS
from ulm_spark.sequence.learning_conf import HeadsConf, OptimiserConf, TargetsConf
from ulm_spark.sequence.models.network import NextItem, build_network
from ulm_spark.sequence.prior import Periods, no_prior
from ulm_spark.sequence.ranks import Ranks
from ulm_spark.sequence.rows import Rows
from ulm_spark.sequence.step import Stepper
from ulm_spark.sequence.targets import draw_targets
from ulm_spark.sequence.validation import Validator
from ulm_spark.sequence.warm_start import Taken, adapt_from, begin_with

CONF = replace(
    SMALL,
    model=replace(SMALL.model, dropout=0.0, attention_dropout=0.0),
    targets=TargetsConf(n_events=1, n_positions=0, exclude_seen=False),
    optimiser=OptimiserConf(learning_rate=0.02),
)
PERIODS = Periods(KNOWN_UNTIL_S, 7 * 86_400, 1)
# The old items come by other numbers, and two are new.
LATER = ("new1", *reversed(VOCABULARY), "new2")


def ring(names: tuple[str, ...], vocabulary: tuple[str, ...]) -> Rows:
    """Histories around the ring of names, from each of them."""
    numbers = [vocabulary.index(name) + 1 for name in names]
    return rows([[numbers[(start + step) % len(names)] for step in range(6)] for start in range(len(names))])


def learn(network: NextItem, batch: Rows, n_steps: int) -> None:
    stepper = Stepper(network, CONF, PERIODS, Ranks())
    for step in range(n_steps):
        targets = draw_targets(batch, CONF.targets, np.random.default_rng(step))
        stepper.take([Batch(batch, targets, len(batch))], np.random.default_rng(0))


def skill(network: NextItem, batch: Rows) -> float:
    return Validator(network, batch, PERIODS, Ranks(), exclude_seen=False).measure().ndcg


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> tuple[NextItem, Path]:
    folder = tmp_path_factory.mktemp("earlier")
    network = build_network(CONF, N_ITEMS, no_prior(N_ITEMS))
    learn(network, ring(VOCABULARY, VOCABULARY), 80)
    export_model(network, {}, folder)
    (folder / VOCABULARY_FILE).write_text(json.dumps(VOCABULARY), encoding="utf-8")
    return network, folder


def test_known_items_score_as_before_by_whatever_number(earlier: tuple[NextItem, Path]) -> None:
    network, folder = earlier
    later = build_network(replace(CONF, seed=99), len(LATER), no_prior(len(LATER)))
    assert begin_with(later, LATER, folder) == Taken(n_known=N_ITEMS, n_new=2)
    old, new = ring(VOCABULARY, VOCABULARY), ring(VOCABULARY, LATER)
    before = network.score_all(network(old.items, old.codes, old.gaps())[:, -1], np.zeros(N_ITEMS, np.int32)).numpy()
    after = later.score_all(later(new.items, new.codes, new.gaps())[:, -1], np.zeros(N_ITEMS, np.int32)).numpy()
    moved = [LATER.index(name) + 1 for name in VOCABULARY]
    np.testing.assert_allclose(after[:, moved], before[:, 1:], rtol=1e-4, atol=1e-4)


def test_old_skill_is_kept_while_new_items_are_learned(earlier: tuple[NextItem, Path]) -> None:
    network, folder = earlier
    old, new = ring(VOCABULARY, LATER), ring(("new1", "new2", *VOCABULARY[:2]), LATER)
    later, anew = (build_network(replace(CONF, seed=99), len(LATER), no_prior(len(LATER))) for _ in range(2))
    begin_with(later, LATER, folder)
    assert skill(network, ring(VOCABULARY, VOCABULARY)) == 1.0
    assert skill(later, old) == 1.0
    few = Rows.join([old.take(np.arange(0, N_ITEMS, 4)), new], 6)  # new days name old items seldom
    for model in (later, anew):
        learn(model, few, 25)
    assert skill(later, new) == 1.0
    assert skill(later, old) >= 0.9
    assert skill(anew, old) < 0.9


def test_a_folder_without_a_model_and_one_of_another_width_are_refused(
    earlier: tuple[NextItem, Path], tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="found no model"):
        begin_with(earlier[0], VOCABULARY, tmp_path)
    wider = build_network(replace(CONF, model=replace(CONF.model, dim=16)), N_ITEMS, no_prior(N_ITEMS))
    with pytest.raises(TrainingError, match="of width"):
        begin_with(wider, VOCABULARY, earlier[1])


def test_a_trunk_is_tuned_by_few_parameters_and_only_where_it_is_the_same(earlier: tuple[NextItem, Path]) -> None:
    tasks = replace(CONF, heads=HeadsConf(tasks=("churn",)))
    tuned = build_network(replace(tasks, seed=99), N_ITEMS, no_prior(N_ITEMS))
    adapt_from(tuned, VOCABULARY, earlier[1], 1)
    known = ring(VOCABULARY, VOCABULARY)
    asked = (known.items, known.codes, known.gaps())
    np.testing.assert_allclose(tuned(*asked), earlier[0](*asked), atol=1e-5)
    assert tuned.heads is not None
    moved = {id(variable) for layer in (tuned.body, tuned.heads) for variable in layer.trainable_variables}
    assert {id(variable) for variable in tuned.trainable_variables} == moved
    assert not tuned.body.blocks[0].widen._kernel.trainable
    deeper = build_network(replace(tasks, model=replace(tasks.model, n_blocks=2)), N_ITEMS, no_prior(N_ITEMS))
    with pytest.raises(TrainingError, match=r"training\.adapter: found .* weights"):
        adapt_from(deeper, VOCABULARY, earlier[1], 1)


def test_item_vectors_of_another_kind_or_shape_are_refused_not_forgotten(
    earlier: tuple[NextItem, Path], tmp_path: Path
) -> None:
    def of(items: ItemsConf) -> NextItem:
        return build_network(replace(CONF, model=replace(CONF.model, items=items)), N_ITEMS, no_prior(N_ITEMS))

    for begin in (begin_with, partial(adapt_from, rank=2)):
        with pytest.raises(TrainingError, match=r"training\.model\.items: found no .*factors"):
            begin(of(ItemsConf("factorised", rank=4)), VOCABULARY, earlier[1])
    export_model(of(ItemsConf("hashed", n_buckets=64)), {}, tmp_path)
    (tmp_path / VOCABULARY_FILE).write_text(json.dumps(VOCABULARY), encoding="utf-8")
    with pytest.raises(TrainingError, match=r"of width \(64, 8\) in the earlier model; expected \(8, 8\)"):
        begin_with(of(ItemsConf("hashed", n_buckets=8)), VOCABULARY, tmp_path)


def test_an_earlier_model_that_was_torn_is_told_of(earlier: tuple[NextItem, Path], tmp_path: Path) -> None:
    for name in (WEIGHTS, VOCABULARY_FILE):
        folder = tmp_path / name
        shutil.copytree(earlier[1], folder)
        (folder / name).write_bytes((folder / name).read_bytes()[:-30])
        with pytest.raises(TrainingError, match=r"found no model in .* that can be read"):
            begin_with(earlier[0], VOCABULARY, folder)
