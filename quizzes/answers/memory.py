"""Answers about memory: strides and views, block formats, files, cache lines, the roofline.

Owns: what bank 2.5 asks. Must not know: YAML, students. Read before: ``minengine/formats.pyx``
(FORMATS), ``gguf.py``, ``oracle_formats.py``. Bytes are counted on arrays and on the engine's own
table of formats.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from minengine import oracle_formats
from minengine.formats import FORMATS
from minengine.gguf import ALIGNMENT, TYPE_IDS, size_of
from quizzes.errors import Unclear

LINE = 64  # bytes of a cache line on x86-64 and most of aarch64
WIDTHS = {"F32": 4, "F16": 2}


def empty(shape: tuple[int, ...], format_name: str) -> np.ndarray:
    """An array of a shape that takes no memory until it is written."""
    return np.empty(shape, f"f{WIDTHS[format_name]}")


# Shapes and strides


def ggml_shape(n_out: int, n_in: int) -> str:
    """ne of a matrix (out, in) as the file has it, contiguous dimension first."""
    return str([*empty((n_out, n_in), "F32").shape[::-1], 1, 1])


def ggml_shape_mistake(mistake: str, n_out: int, n_in: int) -> str:
    """The same in NumPy's order, with the ones in front, or flat."""
    ne = {
        "numpy": [n_out, n_in, 1, 1],
        "front": [1, 1, n_in, n_out],
        "flat": [n_in * n_out, 1, 1, 1],
    }[mistake]
    return str(ne)


def stride_bytes(axis: int, ne0: int, ne1: int, ne2: int, format_name: str) -> int:
    """nb[axis] of a contiguous tensor ne = [ne0, ne1, ne2] of numbers."""
    return empty((ne2, ne1, ne0), format_name).strides[2 - axis]


def row_stride(n: int, format_name: str) -> int:
    """nb[1] of a tensor in a block format: bytes of a row of n elements."""
    return FORMATS[format_name].row_bytes(n)


def row_stride_mistake(mistake: str, n: int, format_name: str) -> int:
    """The same by the codes alone, or as float32."""
    return {"codes": n * code_bits(format_name) // 8, "floats": 4 * n}[mistake]


def element_offset(i: int, j: int, k: int, ne0: int, ne1: int, format_name: str) -> int:
    """Byte offset of element [k][j][i] of a contiguous tensor ne = [ne0, ne1, ...]."""
    x = empty((k + 1, ne1, ne0), format_name)
    return x[k:, j:, i:].__array_interface__["data"][0] - x.__array_interface__["data"][0]


def element_offset_mistake(
    mistake: str, i: int, j: int, k: int, ne0: int, ne1: int, format_name: str
) -> int:
    """The same in elements, with the axes the other way round, or with the second stride twice."""
    width = WIDTHS[format_name]
    return {
        "elements": i + ne0 * (j + ne1 * k),
        "reversed": width * (k + ne0 * (j + ne1 * i)),
        "strides": width * (i + ne0 * j + ne1 * k),
    }[mistake]


def shares_memory(step: str) -> bool:
    """Does this give a view of a contiguous float32 matrix, and not a copy?"""
    x = np.zeros((6, 8), np.float32)
    made = {
        "rows": lambda: x[2:4],
        "columns": lambda: x[:, ::2],
        "transpose": lambda: x.T,
        "reshape": lambda: x.reshape(12, 4),
        "reshape-transposed": lambda: x.T.reshape(12, 4),
        "astype": lambda: x.astype(np.float16),
        "fancy": lambda: x[[2, 3]],
        "contiguous-transposed": lambda: np.ascontiguousarray(x.T),
    }[step]()
    return bool(np.shares_memory(x, made))


# Block formats


def bits_per_weight(format_name: str) -> float:
    """Bits that a format takes for a weight, scales included."""
    row = FORMATS[format_name]
    return 8 * row.block_bytes / row.block_size


def bits_of_two(format_name: str) -> float:
    """The same as if every weight had a scale of two bytes to itself."""
    return code_bits(format_name) + 16


def block_elements(format_name: str) -> int:
    """Elements of a block."""
    return FORMATS[format_name].block_size


def block_size_bytes(format_name: str) -> int:
    """Bytes of a block."""
    return FORMATS[format_name].block_bytes


def code_bits(format_name: str) -> int:
    """Bits of a format's codes: the number in its name."""
    return int(next(c for c in format_name if c.isdigit()))


def matrix_bytes(n_out: int, n_in: int, format_name: str) -> int:
    """Bytes of a matrix as a tensor of a file."""
    return size_of("", [n_in, n_out], TYPE_IDS[format_name])[1]


def matrix_bytes_mistake(mistake: str, n_out: int, n_in: int, format_name: str) -> int:
    """The same by the codes alone, or with a scale for a row."""
    codes = n_out * n_in * code_bits(format_name) // 8
    return {"codes": codes, "scale-a-row": codes + 2 * n_out, "f16": 2 * n_out * n_in}[mistake]


def q4_0_element(index: int, byte: int, scale: float) -> float:
    """An element of a Q4_0 block whose bytes of codes are all the same."""
    raw = np.frombuffer(np.float16(scale).tobytes() + bytes([byte] * 16), np.uint8)
    return float(oracle_formats.dequantize("Q4_0", raw)[index])


def q4_0_element_mistake(mistake: str, index: int, byte: int, scale: float) -> float:
    """The same without the offset, from the other half of the byte, or as two's complement."""
    low, high = byte & 15, byte >> 4
    code, other = (low, high) if index < 16 else (high, low)
    return {
        "no-offset": scale * code,
        "other-half": scale * (other - 8),
        "signed": scale * (code - 16 if code > 7 else code),
    }[mistake]


def step_of(format_name: str, largest: float) -> float:
    """The distance of neighbouring values in a Q8_0 block whose largest magnitude this is."""
    row = np.zeros(32, np.float32)
    row[5] = largest
    raw = FORMATS[format_name].quantize(row)
    return float(np.frombuffer(raw.tobytes()[:2], np.float16)[0])


def rounding_error(format_name: str, largest: float) -> float:
    """The most by which an element of such a block is rounded: half a step."""
    return step_of(format_name, largest) / 2


# Files


def third_offset(n1: int, n2: int, format_name: str) -> int:
    """Offset of the third tensor in a file's data section, after rows of n1 and n2 elements."""
    at = 0
    for n in (n1, n2):
        size = size_of("", [n], TYPE_IDS[format_name])[1]
        at += -(-size // ALIGNMENT) * ALIGNMENT
    return at


def third_offset_mistake(mistake: str, n1: int, n2: int, format_name: str) -> int:
    """The same without padding, or padded once at the end."""
    total = sum(size_of("", [n], TYPE_IDS[format_name])[1] for n in (n1, n2))
    if total % ALIGNMENT == 0:
        raise Unclear("no padding is needed")
    return {"packed": total, "once": -(-total // ALIGNMENT) * ALIGNMENT}[mistake]


# Access and time


@functools.lru_cache(maxsize=64)
def lines_over_use(n_rows: int, n_columns: int, format_name: str) -> float:
    """Bytes of the cache lines that reading a column touches, over the bytes that are read."""
    x = empty((n_rows, n_columns), format_name)
    first = np.arange(n_rows) * x[:, 0].strides[0]
    return len(set((first // LINE).tolist())) * LINE / (n_rows * x.itemsize)


def columns_over_one(n_columns: int) -> int:
    """Bytes of a whole matrix over those of one column."""
    return n_columns


def matvec_intensity(format_name: str, n: int = 1) -> float:
    """Operations a byte of a matrix times n vectors: a product and a sum for each weight read."""
    return 2 * n / (bits_per_weight(format_name) / 8)


def attained(peak: float, bandwidth: float, format_name: str, n: int) -> float:
    """Operations a second by the roofline: min(peak, intensity * bandwidth)."""
    return min(peak, matvec_intensity(format_name, n) * bandwidth)


def other_limit(peak: float, bandwidth: float, format_name: str, n: int) -> float:
    """The larger of the two limits, taken for the one that counts."""
    return max(peak, matvec_intensity(format_name, n) * bandwidth)


def ridge_batch(peak: float, bandwidth: float, format_name: str) -> int:
    """The least number of vectors from which a matrix product is bound by arithmetic."""
    return math.ceil(peak / (matvec_intensity(format_name) * bandwidth))


def tokens_a_second(n_parameters: float, bandwidth: float, format_name: str) -> float:
    """The most tokens a second that one sequence can decode, if only weights are read."""
    return bandwidth / (n_parameters * bits_per_weight(format_name) / 8)


def scratch_bytes(T: int, D: int, F: int) -> int:
    """Bytes of buffers that a feed-forward part needs at once, in float32.

    The residual rows, the normed rows, gate and up; the product goes over the normed rows.
    """
    buffers = [empty((T, n), "F32") for n in (D, D, F, F)]
    return sum(b.nbytes for b in buffers)


def scratch_bytes_mistake(mistake: str, T: int, D: int, F: int, L: int) -> int:
    """The same for every layer, for one token, or without up."""
    return {
        "every-layer": L * scratch_bytes(T, D, F),
        "one-token": scratch_bytes(1, D, F),
        "no-up": 4 * T * (2 * D + F),
    }[mistake]


ROWS = (
    attained,
    bits_of_two,
    bits_per_weight,
    block_elements,
    block_size_bytes,
    code_bits,
    columns_over_one,
    element_offset,
    element_offset_mistake,
    ggml_shape,
    ggml_shape_mistake,
    lines_over_use,
    matrix_bytes,
    matrix_bytes_mistake,
    matvec_intensity,
    other_limit,
    q4_0_element,
    q4_0_element_mistake,
    ridge_batch,
    rounding_error,
    row_stride,
    row_stride_mistake,
    scratch_bytes,
    scratch_bytes_mistake,
    shares_memory,
    step_of,
    stride_bytes,
    third_offset,
    third_offset_mistake,
    tokens_a_second,
)
