from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from ulm_spark.sequence.compact import Form, compact, expand, load_compact, n_bytes, rounded_rows, save_compact

DRAWN = np.random.default_rng(0)
TABLE = (DRAWN.normal(size=(500, 16)) * DRAWN.gamma(1.0, size=(500, 1))).astype(np.float32)
WEIGHTS = {
    "items/items": TABLE,
    "norm/gamma": np.linspace(0, 1, 16, dtype=np.float32),
    "prior": np.linspace(-9, 0, 500, dtype=np.float32)[None],
    "items/codes": DRAWN.integers(0, 100, (500, 3), dtype=np.uint8),
    "items/numbers": np.arange(9, dtype=np.int32),
}


def test_a_file_gives_back_what_was_stored(tmp_path: Path) -> None:
    for form in get_args(Form):
        stored = compact(WEIGHTS, form, pruned_share=0.5)
        size = save_compact(stored, tmp_path / "weights.npz")
        assert size == (tmp_path / "weights.npz").stat().st_size
        again = expand(load_compact(tmp_path / "weights.npz"))
        for name, value in expand(stored).items():
            assert value.dtype == WEIGHTS[name].dtype
            np.testing.assert_array_equal(again[name], value)
        np.testing.assert_array_equal(again["items/codes"], WEIGHTS["items/codes"])
        np.testing.assert_array_equal(again["items/numbers"], WEIGHTS["items/numbers"])


def test_halves_are_off_by_less_than_a_thousandth() -> None:
    found = expand(compact(WEIGHTS, "float16"))
    np.testing.assert_allclose(found["items/items"], TABLE, rtol=1e-3, atol=1e-6)
    assert n_bytes(compact({"items": TABLE}, "float16")) == TABLE.size * 2


def test_bytes_are_off_by_half_a_step_of_their_row_at_most() -> None:
    found = expand(compact(WEIGHTS, "int8"))["items/items"]
    steps = np.abs(TABLE).max(axis=1, keepdims=True) / 127
    assert (np.abs(found - TABLE) <= 0.501 * steps).all()
    assert n_bytes(compact({"items": TABLE}, "int8")) == TABLE.size + 4 * len(TABLE)
    coarse = expand(compact(WEIGHTS, "int4"))["items/items"]
    assert (np.abs(coarse - TABLE) <= 0.51 * steps * 127 / 7).all()
    stored = compact({"items": TABLE}, "int4")
    assert n_bytes(stored) == pytest.approx(TABLE.size / 2 + 2 * len(TABLE), abs=32)
    whole, _ = rounded_rows(np.zeros((2, 3), np.float32))
    assert not whole.any()


@pytest.mark.parametrize("form", get_args(Form))
def test_scales_and_offsets_are_halved_in_every_form(form: Form) -> None:
    found = expand(compact(WEIGHTS, form, pruned_share=0.9))
    for name in ("norm/gamma", "prior"):
        np.testing.assert_allclose(found[name], WEIGHTS[name], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_pruning_takes_the_numbers_nearest_zero_and_the_bytes_with_them(share: float, tmp_path: Path) -> None:
    stored = compact(WEIGHTS, "pruned", share)
    found = expand(stored)["items/items"]
    is_kept = found != 0
    assert is_kept.sum() == TABLE.size - round(share * TABLE.size)
    if share:
        assert np.abs(TABLE[~is_kept]).max() <= np.abs(TABLE[is_kept]).min()
    np.testing.assert_allclose(found[is_kept], TABLE[is_kept], rtol=1e-3)
    n_kept_bytes = 2 * is_kept.sum() + TABLE.size // 8
    assert n_bytes({"items": stored["items/items"]}) == pytest.approx(n_kept_bytes, abs=32)
    assert save_compact({"items": stored["items/items"]}, tmp_path / "w.npz") < 1.05 * n_kept_bytes + 1_000


def test_codes_take_the_bits_of_the_greatest() -> None:
    stored = compact({"codes": WEIGHTS["items/codes"]}, "float16")
    assert stored["codes"]["bits"].nbytes == -(-500 * 3 * 7 // 8)
    for greatest in (1, 2, 127, 128, 255):
        codes = np.array([[0, greatest], [1, 0]], np.uint8)
        np.testing.assert_array_equal(expand(compact({"codes": codes}, "int8"))["codes"], codes)


@pytest.mark.parametrize("form", get_args(Form))
def test_matrices_of_few_numbers_keep_them_all_in_few_bits(form: Form, tmp_path: Path) -> None:
    few = (DRAWN.integers(0, 4, (500, 6)) / 3).astype(np.float32)
    stored = compact({"factors": few}, form, pruned_share=0.5)
    assert n_bytes(stored) == pytest.approx(500 * 6 * 2 / 8, abs=48)
    save_compact(stored, tmp_path / "weights.npz")
    np.testing.assert_array_equal(expand(load_compact(tmp_path / "weights.npz"))["factors"], few)
    many = np.arange(300, dtype=np.float32).reshape(100, 3)
    assert "levels" not in compact({"factors": many}, form)["factors"]
