"""How few bytes can trained weights take? Forms of them that are stored, and the way back to what scores.

Matrices take the form that is asked for; scales and offsets, a number for a row or a column, are halved
in all of them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ulm_spark.sequence.rows import Float32s

Form = Literal["float16", "int8", "int4", "pruned"]
Numbers = NDArray[np.generic]
Weights = Mapping[str, Numbers]
Compact = dict[str, dict[str, Numbers]]  # by the name of a weight, the parts that it is stored as
_BETWEEN = "#"  # in no name of a weight
_FEW, _N_LOOKED_AT = 256, 100


def compact(weights: Weights, form: Form, pruned_share: float = 0.0) -> Compact:
    """The weights in a form. pruned_share: of the numbers of each matrix, those nearest zero, that become zero.

    Codes, which are bytes, keep as many bits as the greatest of them needs; so do matrices of few different numbers, in
    every form and without a loss.
    """
    stored: Compact = {}
    for name, value in weights.items():
        if value.dtype == np.uint8:
            stored[name] = _narrowed(value)
        elif (of_few := _of_few(value)) is not None:
            stored[name] = of_few
        elif value.dtype != np.float32:
            stored[name] = {"as_is": value}
        elif form == "float16" or value.ndim < 2 or min(value.shape) < 2:
            stored[name] = {"half": value.astype(np.float16)}
        elif form == "int8":
            stored[name] = _rounded(value)
        elif form == "int4":
            stored[name] = _rounded_to_half_bytes(value)
        else:
            stored[name] = _pruned(value, pruned_share)
    return stored


def expand(stored: Compact) -> dict[str, Numbers]:
    """The weights again, float32 but for codes."""
    return {name: _expanded(parts) for name, parts in stored.items()}


def n_bytes(stored: Compact) -> int:
    """Bytes of all parts, before the file is deflated."""
    return sum(part.nbytes for parts in stored.values() for part in parts.values())


def save_compact(stored: Compact, path: Path) -> int:
    """Writes one deflated file; its bytes."""
    np.savez_compressed(
        path, **{f"{name}{_BETWEEN}{key}": part for name, parts in stored.items() for key, part in parts.items()}
    )
    return path.stat().st_size


def load_compact(path: Path) -> Compact:
    """What save_compact wrote."""
    stored: Compact = {}
    with np.load(path) as file:
        for key in file.files:
            name, part = key.rsplit(_BETWEEN, 1)
            stored.setdefault(name, {})[part] = file[key]
    return stored


def rounded_rows(matrix: Float32s, most: int = 127) -> tuple[NDArray[np.int8], Float32s]:
    """Each row as whole numbers from -most to most and the step between them: [..., k], [...]."""
    steps = np.maximum(np.abs(matrix).max(axis=-1), 1e-12) / np.float32(most)
    return np.rint(matrix / steps[..., None]).astype(np.int8), steps.astype(np.float32)


def _rounded(value: NDArray[np.generic]) -> dict[str, Numbers]:
    whole, steps = rounded_rows(value.astype(np.float32))
    return {"whole": whole, "steps": steps}


def _rounded_to_half_bytes(value: NDArray[np.generic]) -> dict[str, Numbers]:
    whole, steps = rounded_rows(value.astype(np.float32), 7)
    return {**_narrowed((whole + 7).astype(np.uint8)), "steps": steps.astype(np.float16)}


def _pruned(value: NDArray[np.generic], share: float) -> dict[str, Numbers]:
    """A bit for each number, whether it is kept, and those that are, halved.

    Source: Han et al. (2015), Learning both Weights and Connections, NeurIPS; here without learning anew.
    """
    flat = value.astype(np.float32).ravel()
    kept = np.ones(len(flat), bool)
    kept[np.argsort(np.abs(flat), kind="stable")[: round(share * len(flat))]] = False
    return {"kept": np.packbits(kept), "values": flat[kept].astype(np.float16), "shape": np.array(value.shape)}


def _of_few(value: Numbers) -> dict[str, Numbers] | None:
    """A matrix of float32 as codes of its numbers, where these are so few that a byte, or less, for each pays."""
    if value.dtype != np.float32 or value.ndim != 2 or len(np.unique(value[:_N_LOOKED_AT])) > _FEW:
        return None
    levels, codes = np.unique(value, return_inverse=True)
    if len(levels) > min(_FEW, value.size // 8):
        return None
    return {**_narrowed(codes.reshape(value.shape).astype(np.uint8)), "levels": levels}


def _narrowed(codes: NDArray[np.generic]) -> dict[str, Numbers]:
    width = max(int(codes.max(initial=0)).bit_length(), 1)
    bits = np.unpackbits(codes.ravel()[:, None].view(np.uint8), axis=1)[:, 8 - width :]
    return {"bits": np.packbits(bits), "width": np.array(width), "shape": np.array(codes.shape)}


def _expanded(parts: dict[str, Numbers]) -> Numbers:
    if "half" in parts:
        return parts["half"].astype(np.float32)
    if "whole" in parts:
        return np.asarray(parts["whole"].astype(np.float32) * parts["steps"].astype(np.float32)[..., None])
    if "kept" in parts:
        shape = tuple(parts["shape"].astype(int))
        flat = np.zeros(int(np.prod(shape)), np.float32)
        flat[np.unpackbits(parts["kept"].astype(np.uint8), count=len(flat)).astype(bool)] = parts["values"]
        return flat.reshape(shape)
    if "bits" in parts and "steps" in parts:
        return np.asarray((_widened(parts) - np.float32(7)) * parts["steps"].astype(np.float32)[..., None])
    if "levels" in parts:
        return np.asarray(parts["levels"][_widened(parts)])
    return _widened(parts) if "bits" in parts else parts["as_is"]


def _widened(parts: dict[str, Numbers]) -> NDArray[np.uint8]:
    shape, width = tuple(parts["shape"].astype(int)), int(parts["width"])
    n_codes = int(np.prod(shape))
    bits = np.unpackbits(parts["bits"].astype(np.uint8), count=n_codes * width).reshape(n_codes, width)
    return np.asarray((bits @ (1 << np.arange(width - 1, -1, -1))).astype(np.uint8).reshape(shape))
