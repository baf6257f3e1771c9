"""The exported graph in fewer bytes: numbers stored small, and made what they were by one node each.

Inputs and outputs stay as they are, so that what scores the graph needs to know nothing.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from ulm_spark.sequence.compact import rounded_rows

_FEW = 1_000  # numbers that are not worth a node
Numbers = NDArray[np.generic]
Store = Callable[[str, Numbers], tuple[dict[str, Numbers], onnx.NodeProto] | None]


def store_codes(path: Path) -> None:
    """Codes of items, which a graph holds as 4 bytes each, as one."""
    _rewrite(path, path, _as_bytes)


def store_halved(path: Path, target: Path) -> None:
    """Floats as 16 bits each; they are read as 32."""
    _rewrite(path, target, _as_half)


def store_int8(path: Path, target: Path) -> None:
    """Products with matrices of the body in 8 bits, and tables as 8 bits a number with one step for each row."""
    quantize_dynamic(path, target, op_types_to_quantize=["MatMul"], per_channel=True, weight_type=QuantType.QInt8)
    _rewrite(target, target, _as_rounded)


def _as_bytes(name: str, value: Numbers) -> tuple[dict[str, Numbers], onnx.NodeProto] | None:
    if value.dtype not in (np.int32, np.int64) or int(value.min()) < 0 or int(value.max()) > 255:
        return None
    kind = helper.np_dtype_to_tensor_dtype(value.dtype)
    stored = f"{name}_bytes"
    return {stored: value.astype(np.uint8)}, helper.make_node("Cast", [stored], [name], to=kind)


def _as_half(name: str, value: Numbers) -> tuple[dict[str, Numbers], onnx.NodeProto] | None:
    if value.dtype != np.float32:
        return None
    stored = f"{name}_half"
    cast = helper.make_node("Cast", [stored], [name], to=onnx.TensorProto.FLOAT)
    most = np.finfo(np.float16).max  # the score of padding, which no one wants, is beyond it
    return {stored: np.clip(value, -most, most).astype(np.float16)}, cast


def _as_rounded(name: str, value: Numbers) -> tuple[dict[str, Numbers], onnx.NodeProto] | None:
    if value.dtype != np.float32 or value.ndim != 2 or min(value.shape) < 2:
        return None
    whole, steps = rounded_rows(value.astype(np.float32))
    parts: dict[str, Numbers] = {f"{name}_whole": whole, f"{name}_steps": steps}
    return parts, helper.make_node("DequantizeLinear", list(parts), [name], axis=0)


def _rewrite(source: Path, target: Path, store: Store) -> None:
    """Puts what store makes of each large constant, and the node that makes it back, in its place."""
    model = onnx.load(source)
    kept, nodes = [], []
    for tensor in model.graph.initializer:
        value = numpy_helper.to_array(tensor)
        made = store(tensor.name, value) if value.size >= _FEW else None
        if made is None:
            kept.append(tensor)
            continue
        parts, node = made
        kept += [numpy_helper.from_array(np.ascontiguousarray(part), name) for name, part in parts.items()]
        nodes.append(node)
    old = list(model.graph.node)
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend([*nodes, *old])
    onnx.save(model, target)
