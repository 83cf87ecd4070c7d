"""Every weight format in plain NumPy float64: what the bytes of its blocks mean.

Owns: the definition of each format. Must not know: files, formats' kernels; it imports NumPy alone.
Nothing here is fast, and nothing here rounds: each number is exact in float64.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

Array = np.ndarray
NL = np.array([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], float)
MX = np.array([0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12], float)


def _half(raw: Array) -> Array:
    """Two bytes each -> float64: uint8 (..., 2 n) -> (..., n)."""
    return np.ascontiguousarray(raw).view("<f2").astype(np.float64)


def _nibbles(q: Array) -> Array:
    """16 bytes -> 32 codes: byte j holds element j low and j + 16 high."""
    return np.hstack((q & 15, q >> 4))


def _bits(h: Array) -> Array:
    """4 bytes -> 32 bits, the lowest first."""
    return np.unpackbits(h, axis=1, bitorder="little")


def _pairs(q: Array) -> Array:
    """64 bytes -> 16 x 16 codes: bits 2j, 2j + 1 of byte l of 32 hold element 32 j + l."""
    halves = q.reshape(-1, 2, 1, 32)
    return np.concatenate([halves >> i & 3 for i in (0, 2, 4, 6)], axis=2).reshape(-1, 16, 16)


def _scales_minima(s: Array) -> tuple[Array, Array]:
    """12 bytes -> 8 scales and 8 minima of 6 bits, as `_q4_k` says."""
    scale = np.hstack((s[:, :4] & 63, (s[:, 8:] & 15) | (s[:, :4] >> 6 << 4)))
    return scale, np.hstack((s[:, 4:8] & 63, (s[:, 8:] >> 4) | (s[:, 4:8] >> 6 << 4)))


def _q8_0(b: Array) -> Array:
    """Blocks of 32: half d, 32 int8 q; x = d q."""
    return _half(b[:, :2]) * b[:, 2:].view(np.int8)


def _q4_0(b: Array) -> Array:
    """Blocks of 32: half d, 16 bytes; byte j holds element j low and j + 16 high; x = d (q - 8)."""
    return _half(b[:, :2]) * (_nibbles(b[:, 2:]) - 8.0)


def _q4_1(b: Array) -> Array:
    """Blocks of 32: halves d and m, 16 bytes of nibbles; x = d q + m."""
    return _half(b[:, :2]) * _nibbles(b[:, 4:]) + _half(b[:, 2:4])


def _q5_0(b: Array) -> Array:
    """Blocks of 32: half d, 32 fifth bits, 16 bytes of nibbles; x = d (q - 16)."""
    return _half(b[:, :2]) * ((_nibbles(b[:, 6:]) | _bits(b[:, 2:6]) << 4) - 16.0)


def _q5_1(b: Array) -> Array:
    """Blocks of 32: halves d and m, 32 fifth bits, 16 bytes of nibbles; x = d q + m."""
    q = _nibbles(b[:, 8:]) | _bits(b[:, 4:8]) << 4
    return _half(b[:, :2]) * q + _half(b[:, 2:4])


def _q2_k(b: Array) -> Array:
    """Blocks of 256: 16 bytes of scale s (low) and minimum m (high), 64 bytes of q, halves d, dmin.

    x = d s q - dmin m, one s and m for 16 elements.
    """
    d, dmin = _half(b[:, 80:82])[..., None], _half(b[:, 82:])[..., None]
    scale, minimum = (b[:, :16] & 15)[..., None], (b[:, :16] >> 4)[..., None]
    return (d * scale * _pairs(b[:, 16:80]) - dmin * minimum).reshape(-1, 256)


def _q3_k(b: Array) -> Array:
    """Blocks of 256: 32 bytes of third bits, 64 of low 2 bits, 12 of 6-bit scales s, half d.

    x = d (s - 32) (q - 4). Bit j of third-bit byte l belongs to element 32 j + l. Bytes 0-7 of the
    scales hold the low 4 bits of 0-7 (low) and 8-15 (high); bytes 8-11 the high 2 bits of scales j,
    j + 4, j + 8, j + 12.
    """
    s = b[:, 96:108]
    low = np.hstack((s[:, :8] & 15, s[:, :8] >> 4))
    scale = (low | np.hstack([s[:, 8:] >> i & 3 for i in (0, 2, 4, 6)]) << 4) - 32.0
    third = np.stack([b[:, :32] >> i & 1 for i in range(8)], axis=1).reshape(-1, 16, 16)
    q = (_pairs(b[:, 32:96]) | third << 2) - 4.0
    return ((_half(b[:, 108:]) * scale)[..., None] * q).reshape(-1, 256)


def _q4_k(b: Array) -> Array:
    """Blocks of 256: halves d and dmin, 12 bytes of 6-bit scales s and minima m, 128 bytes of q.

    Sub-block j of 32 elements: x = d s_j q - dmin m_j. Scales 0-3 are the low 6 bits of bytes 0-3,
    minima 0-3 those of bytes 4-7; scales (minima) 4-7 have their low 4 bits in the low (high)
    nibbles of bytes 8-11 and their high 2 bits atop bytes 0-3 (4-7). Bytes 32 i .. 32 i + 31 of q
    hold sub-block 2i low and 2i + 1 high.
    """
    d, dmin, q = _half(b[:, :2]), _half(b[:, 2:4]), b[:, 16:].reshape(-1, 4, 1, 32)
    scale, minimum = _scales_minima(b[:, 4:16])
    q = np.concatenate((q & 15, q >> 4), axis=2).reshape(-1, 8, 32)
    return ((d * scale)[..., None] * q - (dmin * minimum)[..., None]).reshape(-1, 256)


def _q5_k(b: Array) -> Array:
    """Blocks of 256: as Q4_K, with 32 bytes of fifth bits before q: bit j for sub-block j."""
    plain = np.hstack((b[:, :16], b[:, 48:]))
    fifth = np.stack([b[:, 16:48] >> i & 1 for i in range(8)], axis=1)
    scale = _half(b[:, :2]) * _scales_minima(b[:, 4:16])[0]
    return _q4_k(plain) + (scale[..., None] * (fifth * 16.0)).reshape(-1, 256)


def _q6_k(b: Array) -> Array:
    """Blocks of 256: 128 bytes of low 4 bits, 64 bytes of high 2 bits, 16 int8 scales s, half d.

    x = d s (q - 32), one s for 16 elements. In each half of 128 elements, byte l of 64 low bytes
    holds elements l and l + 64, byte l of 32 high bytes holds elements l, l + 32, l + 64, l + 96
    from its lowest bits up.
    """
    low, high = b[:, :128].reshape(-1, 2, 1, 64), b[:, 128:192].reshape(-1, 2, 1, 32)
    low = np.concatenate((low & 15, low >> 4), axis=2).reshape(-1, 16, 16)
    high = np.concatenate([high >> i & 3 for i in (0, 2, 4, 6)], axis=2).reshape(-1, 16, 16)
    scale = _half(b[:, 208:]) * b[:, 192:208].view(np.int8)
    return (scale[..., None] * ((low | high << 4) - 32.0)).reshape(-1, 256)


def _iq4_nl(b: Array) -> Array:
    """Blocks of 32: half d, 16 bytes of nibbles into the table NL; x = d NL[q]."""
    return _half(b[:, :2]) * NL[_nibbles(b[:, 2:])]


def _iq4_xs(b: Array) -> Array:
    """Blocks of 256: half d, 16 high bits and 4 bytes of low bits of 8 scales s, 8 x 16 nibbles.

    x = d (s - 32) NL[q]; scale j has its low 4 bits in a nibble and bits 2j, 2j + 1 of the 16.
    """
    high = np.ascontiguousarray(b[:, 2:4]).view("<u2") >> np.arange(0, 16, 2) & 3
    low = np.stack((b[:, 4:8] & 15, b[:, 4:8] >> 4), axis=2).reshape(-1, 8)
    q = b[:, 8:].reshape(-1, 8, 16)
    levels = NL[np.concatenate((q & 15, q >> 4), axis=2)]
    return ((_half(b[:, :2]) * ((low | high << 4) - 32.0))[..., None] * levels).reshape(-1, 256)


def _mxfp4(b: Array) -> Array:
    """Blocks of 32: exponent e, 16 bytes of nibbles into the table MX; x = 2^(e - 128) MX[q]."""
    return 2.0 ** (b[:, :1] - 128.0) * MX[_nibbles(b[:, 1:])]


def _tq1_0(b: Array) -> Array:
    """Blocks of 256: 48 bytes of five and 4 bytes of four base-3 digits, half d; x = d (digit - 1).

    A byte is a fraction of 256 whose first digit is its integer part when multiplied by three.
    """
    groups = []
    for first, last, n_digits in ((0, 32, 5), (32, 48, 5), (48, 52, 4)):
        for k in range(n_digits):
            fraction = b[:, first:last].astype(int) * 3**k % 256
            groups.append(fraction * 3 // 256)
    return _half(b[:, 52:]) * (np.hstack(groups) - 1.0)


def _tq2_0(b: Array) -> Array:
    """Blocks of 256: 64 bytes of 2-bit codes as in Q2_K, half d; x = d (q - 1)."""
    return _half(b[:, 64:]) * (_pairs(b[:, :64]).reshape(-1, 256) - 1.0)


# name -> (bytes a block, its blocks (n, bytes) -> numbers)
DEQUANTIZE = {
    "F32": (4, lambda b: b.view("<f4").astype(np.float64)),
    "F16": (2, _half),
    "BF16": (2, lambda b: (b.view("<u2").astype(np.uint32) << 16).view("<f4").astype(np.float64)),
    "Q8_0": (34, _q8_0),
    "Q4_0": (18, _q4_0),
    "Q4_1": (20, _q4_1),
    "Q5_0": (22, _q5_0),
    "Q5_1": (24, _q5_1),
    "Q2_K": (84, _q2_k),
    "Q3_K": (110, _q3_k),
    "Q4_K": (144, _q4_k),
    "Q5_K": (176, _q5_k),
    "Q6_K": (210, _q6_k),
    "IQ4_NL": (18, _iq4_nl),
    "IQ4_XS": (136, _iq4_xs),
    "TQ1_0": (54, _tq1_0),
    "TQ2_0": (66, _tq2_0),
    "MXFP4": (17, _mxfp4),
}


def dequantize(name: str, raw: Array) -> Array:
    """The numbers that rows of blocks stand for: uint8 (..., row_bytes) -> (..., n)."""
    n_bytes, blocks = DEQUANTIZE[name]
    raw = np.ascontiguousarray(raw)
    return blocks(raw.reshape(-1, n_bytes)).reshape(*raw.shape[:-1], -1)


def weights(tensors: Mapping[str, Any]) -> dict[str, Array]:
    """The tensors of a file (``gguf.File.tensors``) as numbers in their shapes, by name."""
    return {name: dequantize(t.format, t.data).reshape(t.shape) for name, t in tensors.items()}
