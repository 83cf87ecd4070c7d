"""A shared library of C++ as a Python function, by ctypes: ``Attention(library)(q, k, v)``.

Owns: the call. It imports nothing of ours, because its text also runs inside a sandbox, in the
place of a submission; see ``program``. Must not know: compilers, checks.
"""

import ctypes
import os
import tempfile

import numpy as np

SIGNATURE = (
    "void attention(const float* q, const float* k, const float* v, float* out,\n"
    "               int T, int S, int H, int G, int E)"
)

UNWRITTEN = -77.0  # what stands in ``out`` before the call


class Attention:
    """The function of ``SIGNATURE`` in a shared library (its bytes)."""

    def __init__(self, library):
        handle, path = tempfile.mkstemp(suffix=".so", dir=os.environ.get("TMPDIR"))
        with os.fdopen(handle, "wb") as file:
            file.write(library)
        self._library = ctypes.CDLL(path)
        self._call = self._library.attention
        self._call.argtypes = [ctypes.c_void_p] * 4 + [ctypes.c_int] * 5
        self._call.restype = None

    def __call__(self, q, k, v):
        """q (T, H, E), k and v (S, G, E), float32 -> (T, H, E)."""
        q, k, v = (np.ascontiguousarray(x, dtype=np.float32) for x in (q, k, v))
        (T, H, E), (S, G, _) = q.shape, k.shape
        if k.shape != v.shape or k.shape[2] != E or H % G or not 1 <= T <= S:
            raise ValueError(f"attention: q {q.shape}, k {k.shape}, v {v.shape}")
        out = np.full(q.shape, UNWRITTEN, np.float32)
        self._call(*(x.ctypes.data for x in (q, k, v, out)), T, S, H, G, E)
        return out


LOADED = []


def load(library):
    """Load a library for ``attend``."""
    LOADED[:] = [Attention(library)]
    return True


def attend(q, k, v):
    """What the loaded library makes of these."""
    return LOADED[0](q, k, v)
