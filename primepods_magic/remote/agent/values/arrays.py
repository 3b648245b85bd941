"""NumPy arrays and scalars, and tensors of torch and jax, as descriptions: a dtype, a shape and raw bytes."""

from __future__ import annotations

import re
import sys
from typing import Any, Callable, Dict, List, Tuple

from .coding import Decoder, Encoder, Node, Reader
from .packing import BadValue
from .plain import describe_items, read_items

__all__ = ["ARRAY_READERS", "describe_array", "find_array_writer", "read_array"]

_DTYPE = re.compile(
    r"(?:[<>|][biufc](?:1|2|4|8|16|32)|[<>|][SUV]\d{1,9}"
    # NumPy divides by the count of a unit: 0 ends the process.
    r"|[<>][mM]8(?:\[(?:[1-9]\d{0,8})?(?:generic|[YMWDhms]|ms|us|ns|ps|fs|as)\])?)\Z"
)
_MAX_FIELDS = 1000
_MAX_DIMENSIONS = 32
_MAX_LENGTH = 1 << 62
_MAX_CODE_POINT = 0x10FFFF
_MAX_EMPTY = 1 << 20
"""Elements of an array whose elements have no bytes."""
# Types of the package ml_dtypes, and the bytes of each.
_SMALL_FLOATS = {
    "bfloat16": 2, "float8_e4m3fn": 1, "float8_e5m2": 1, "float8_e4m3fnuz": 1, "float8_e5m2fnuz": 1,
    "float8_e4m3b11fnuz": 1, "float8_e4m3": 1, "float8_e3m4": 1, "float8_e8m0fnu": 1, "int4": 1, "uint4": 1,
}  # fmt: skip
# Types of tensors, and of arrays that hold the same.
_TENSORS = {
    "bool": "|b1", "uint8": "|u1", "int8": "|i1", "int16": "<i2", "int32": "<i4", "int64": "<i8",
    "uint16": "<u2", "uint32": "<u4", "uint64": "<u8", "float16": "<f2", "float32": "<f4", "float64": "<f8",
    "complex64": "<c8", "complex128": "<c16", "bfloat16": "", "float8_e4m3fn": "", "float8_e5m2": "",
}  # fmt: skip


def find_array_writer(root: str, name: str) -> Callable[[Encoder, Any], Node] | None:
    """Return what describes values of a class of a package, if it is an array, a scalar or a tensor."""
    if root == "numpy" and name == "ndarray":
        return describe_array
    if root in ("numpy", "ml_dtypes"):
        return _describe_scalar
    if root == "torch" and name in ("Tensor", "Parameter", "Buffer"):
        return _describe_tensor
    if root in ("jax", "jaxlib") and name in ("Array", "ArrayImpl"):
        return _describe_jax
    return None


# NumPy


def describe_array(encoder: Encoder, value: Any) -> Node:
    """Describe an array of NumPy; its memory order is kept, gaps between its elements are not."""
    import numpy as np

    encoder.need("numpy")
    encoder.note_use(value)
    shape = list(value.shape)
    if value.dtype == object:
        return ["objects", shape, describe_items(encoder, value.ravel().tolist())]
    if value.dtype.kind == "T":
        if hasattr(value.dtype, "na_object"):
            raise encoder.refuse("is an array of text with missing values. Send a Series, or a list")
        encoder.need("numpy 2")
        return ["texts", shape, describe_items(encoder, value.ravel().tolist())]
    dtype = _describe_dtype(encoder, value.dtype)
    is_turned = value.flags.f_contiguous and not value.flags.c_contiguous
    order = "F" if is_turned else "C"
    turned = value.T if is_turned else value
    if value.dtype.names is None:
        flat = np.ascontiguousarray(turned).reshape(-1)
    else:
        # Between fields are other columns of the array that this is a view of, or memory that was freed.
        flat = np.zeros(value.size, value.dtype)
        _copy_fields(turned, flat.reshape(turned.shape))
    _note_texts(encoder, flat)
    data: Any = flat.view(np.uint8) if value.dtype.itemsize and flat.size else b""
    return ["array", dtype, shape, order, encoder.add_buffer(memoryview(data))]


def _note_texts(encoder: Encoder, array: Any) -> None:
    if array.dtype.names is not None:
        for name in array.dtype.names:
            if array.dtype[name].base.kind in "SU":
                encoder.columns.setdefault(name, f"{encoder.place}[{name!r:.40}]")
            _note_texts(encoder, array[name])
    elif array.dtype.kind in "SU":
        encoder.texts.append(array.reshape(-1))
    elif array.dtype.kind == "V":
        encoder.texts.append((array.tobytes(),))


def _copy_fields(source: Any, target: Any) -> None:
    if source.dtype.names is None:
        target[...] = source
    else:
        for name in source.dtype.names:
            _copy_fields(source[name], target[name])


def _describe_dtype(encoder: Encoder, dtype: Any) -> Node:
    if dtype.hasobject:
        raise encoder.refuse(f"has the dtype {dtype}, with objects in its fields")
    if dtype.fields is not None:
        if dtype.type.__name__ == "record":
            encoder.note("is a void there, not a record")
        fields = [
            [name, _describe_dtype(encoder, field), int(offset), *map(str, title)]
            for name in dtype.names
            for field, offset, *title in [dtype.fields[name]]
        ]
        return ["fields", dtype.itemsize, dtype.isalignedstruct, fields]
    if dtype.subdtype is not None:
        return ["sub", _describe_dtype(encoder, dtype.subdtype[0]), list(dtype.subdtype[1])]
    if type(dtype.type).__module__ == "ml_dtypes" or dtype.isbuiltin == 2:
        if _SMALL_FLOATS.get(dtype.name) != dtype.itemsize:
            raise encoder.refuse(f"has the dtype {dtype}, which is not one of NumPy")
        encoder.need("ml_dtypes")
        return ["small", dtype.name]
    if dtype.char in "gG" and dtype.itemsize != 8 * (1 + (dtype.char == "G")):
        encoder.need("long double")
    if not _DTYPE.match(dtype.str):
        raise encoder.refuse(f"has the dtype {dtype}, which is not one of NumPy")
    return dtype.str


def _describe_scalar(encoder: Encoder, value: Any) -> Node:
    import numpy as np

    if not isinstance(value, np.generic):
        raise encoder.refuse(f"is a {type(value).__name__}, which cannot be sent. Send an array")
    return ["scalar", describe_array(encoder, np.asarray(value))]


def read_array(decoder: Decoder, rest: List[Any]) -> Any:
    """Return an array; its size is checked before there is memory for it."""
    import numpy as np

    dtype_node, shape_node, order, number = rest
    dtype, data = _read_dtype(dtype_node, 0), decoder.take_buffer(number)
    shape, count = _read_shape(shape_node)
    if order not in ("C", "F") or count * dtype.itemsize != len(data):
        raise BadValue("an array with more or fewer bytes than its shape has")
    if not dtype.itemsize and count > _MAX_EMPTY:
        raise BadValue("an array of too many empty elements")
    if not dtype.itemsize or not count:
        return np.zeros(shape, dtype, order)
    # A copy: the array can be changed, and does not keep everything else that came with it.
    array = np.frombuffer(data, dtype).reshape(shape, order=order).copy(order="A")
    _check_characters(array)
    return array


def _check_characters(array: Any) -> None:
    """Refuse text that Python cannot have."""
    import numpy as np

    if array.dtype.names is not None:
        for name in array.dtype.names:
            _check_characters(array[name])
    elif array.dtype.kind == "U" and array.size:
        points = np.ascontiguousarray(array).reshape(-1).view(array.dtype.byteorder.replace("|", "=") + "u4")
        if points.max() > _MAX_CODE_POINT:
            raise BadValue("text with characters that do not exist")


def _read_shape(node: Any) -> Tuple[Tuple[int, ...], int]:
    if type(node) is not list or len(node) > _MAX_DIMENSIONS:
        raise BadValue("not a shape")
    count, product = 1, 1
    for length in node:
        if type(length) is not int or not 0 <= length < _MAX_LENGTH:
            raise BadValue("not a shape")
        count *= length
        product *= length or 1
    if product >= _MAX_LENGTH:
        raise BadValue("not a shape")
    return tuple(node), count


def _read_dtype(node: Any, depth: int) -> Any:
    import numpy

    np: Any = numpy
    if type(node) is str and _DTYPE.match(node):
        return np.dtype(node)
    if type(node) is not list or not node or depth > 8:
        raise BadValue("not a dtype")
    if node[0] == "small" and len(node) == 2 and node[1] in _SMALL_FLOATS:
        return np.dtype(getattr(_import_small_floats(), node[1]))
    if node[0] == "sub" and len(node) == 3:
        shape, count = _read_shape(node[2])
        base = _read_dtype(node[1], depth + 1)
        if count * base.itemsize >= 1 << 31:
            raise BadValue("not a dtype")
        return np.dtype((base, shape))
    if node[0] == "fields" and len(node) == 4 and type(node[3]) is list and len(node[3]) <= _MAX_FIELDS:
        layout: Any = {"names": [], "formats": [], "offsets": [], "titles": [], "itemsize": node[1]}
        for name, field, offset, *title in node[3]:
            if not {type(name), *map(type, title)} <= {str} or len(title) > 1 or type(offset) is not int:
                raise BadValue("not a dtype")
            layout["names"].append(name)
            layout["formats"].append(_read_dtype(field, depth + 1))
            layout["offsets"].append(offset)
            layout["titles"].append(title[0] if title else None)
        return np.dtype(layout, align=node[2] is True)
    raise BadValue("not a dtype")


def _import_small_floats() -> Any:
    try:
        import ml_dtypes  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        raise BadValue("no package ml_dtypes, which has the type bfloat16") from None
    return ml_dtypes


def _read_scalar(decoder: Decoder, rest: List[Any]) -> Any:
    (node,) = rest
    if type(node) is not list or not node or node[0] not in ("array", "objects") or node[2] != []:
        raise BadValue("not a scalar")
    return decoder.decode(node)[()]


def _read_objects(decoder: Decoder, rest: List[Any]) -> Any:
    import numpy as np

    shape_node, node = rest
    shape, count = _read_shape(shape_node)
    items = read_items(decoder, node)
    if len(items) != count:
        raise BadValue("an array with more or fewer elements than its shape has")
    array = np.empty(count, dtype=object)
    # One by one: lists among them are elements.
    for index, item in enumerate(items):
        array[index] = item
    return array.reshape(shape)


def _read_texts(decoder: Decoder, rest: List[Any]) -> Any:
    import numpy as np

    kind: Any = getattr(getattr(np, "dtypes", None), "StringDType", None)
    if kind is None:
        raise BadValue("NumPy older than 2, which has no arrays of text of any length")
    return _read_objects(decoder, rest).astype(kind())


# Tensors


def _describe_tensor(encoder: Encoder, value: Any) -> Node:
    encoder.note_use(value)
    torch: Any = sys.modules["torch"]
    name = str(value.dtype).replace("torch.", "")
    if value.layout is not torch.strided or value.is_quantized or value.device.type == "meta":
        raise encoder.refuse("is a tensor that is sparse, quantized or without data. Send .to_dense() of it")
    if name not in _TENSORS or sys.byteorder != "little":
        raise encoder.refuse(f"is a tensor of the dtype {name}, which cannot be sent")
    _need_library(encoder, "torch")
    if value.requires_grad or value.device.type != "cpu":
        encoder.note("has no gradient there, and is on the CPU")
    data = value.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
    buffer = memoryview(data.view(torch.uint8).numpy()) if data.numel() else b""
    return ["tensor", name, list(value.shape), encoder.add_buffer(buffer)]


def _need_library(encoder: Encoder, library: str) -> None:
    if library in encoder.lacks:
        encoder.need("numpy")
        encoder.note(f"is an array of NumPy, because there is no {library}")
    else:
        encoder.need(library)


def _read_tensor(decoder: Decoder, rest: List[Any]) -> Any:
    """Return a tensor; an array where there is no torch."""
    name, shape_node, number = rest
    shape, count = _read_shape(shape_node)
    data = decoder.take_buffer(number)
    if type(name) is not str or name not in _TENSORS:
        raise BadValue("not a tensor")
    array_type = _TENSORS[name]
    size = int(array_type[2:]) if array_type else _SMALL_FLOATS[name]
    if count * size != len(data):
        raise BadValue("a tensor with more or fewer bytes than its shape has")
    try:
        import torch  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return _read_array_of_tensor(decoder, name, shape_node, number)
    kind = getattr(torch, name, None)
    if kind is None:
        raise BadValue(f"torch {torch.__version__}, which has no {name}")
    if not count:
        return torch.empty(shape, dtype=kind)
    return torch.frombuffer(bytearray(data), dtype=kind).reshape(shape)


def _read_array_of_tensor(decoder: Decoder, name: str, shape: Any, number: int) -> Any:
    import numpy as np

    if _TENSORS[name]:
        return read_array(decoder, [_TENSORS[name], shape, "C", number])
    try:
        return read_array(decoder, [["small", name], shape, "C", number])
    except BadValue:
        if name != "bfloat16":
            raise
    # Each is the first half of a float32.
    halves = read_array(decoder, ["<u2", shape, "C", number])
    return (halves.astype(np.uint32) << np.uint32(16)).view(np.float32)


def _describe_jax(encoder: Encoder, value: Any) -> Node:
    import numpy as np

    encoder.note_use(value)
    try:
        array = np.asarray(value)
    except Exception as error:  # noqa: BLE001 - keys, and arrays whose data is elsewhere
        raise encoder.refuse(f"is an array of jax that NumPy cannot take: {type(error).__name__}") from None
    _need_library(encoder, "jax")
    return ["jax", describe_array(encoder, array)]


def _read_jax(decoder: Decoder, rest: List[Any]) -> Any:
    """Return an array of jax; one of NumPy where there is no jax."""
    (node,) = rest
    if type(node) is not list or node[:1] != ["array"]:
        raise BadValue("not an array")
    array = decoder.decode(node)
    try:
        import jax.numpy  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return array
    value = jax.numpy.asarray(array)
    if value.dtype != array.dtype:
        raise BadValue(f"jax, which would make {value.dtype} of {array.dtype}; set jax_enable_x64")
    return value


ARRAY_READERS: Dict[str, Reader] = {
    "array": read_array,
    "scalar": _read_scalar,
    "objects": _read_objects,
    "texts": _read_texts,
    "tensor": _read_tensor,
    "jax": _read_jax,
}
