"""How a value a student's code gave differs from the one wanted, in words: close, equal, require.

Owns: the comparison, the naming of near misses, the sentence that says where and by how much.
Must not know: submissions, sandboxes, points, seeds. Read before: errors.py.

Tags this file gives on its own account (each needs no entry in an assignment's hints): wrong-type,
wrong-shape, wrong-dtype, nan, wrong-value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from autograder.errors import CheckFailed
from autograder.wire import Handle

Near = Mapping[str, "np.ndarray | Callable[[], Any]"]
PARTS_NOTE = "accepted: it does with your own parts what it should do; the parts are judged apart"
AXES = {1: ("place",), 2: ("token", "dimension"), 3: ("token", "head", "dimension")}


def close(
    got: Any,
    want: Any,
    *,
    rtol: float,
    atol: float,
    near: Near | None = None,
    own: Any = None,
    what: str = "",
    axes: tuple[str, ...] = ("token", "dimension"),
) -> str | None:
    """Pass where ``|got - want| <= atol + rtol |want|``; NaN and infinity match only themselves.

    ``near`` maps a tag to the value that a known mistake gives (an array, or a function of no
    arguments computed only if needed); where ``got`` is that value the failure carries its tag.
    ``own`` is what the right composition of the student's own parts gives (same forms): ``got``
    equal to it is accepted and the note to be returned by the check says so, because a mistake
    costs its points once. ``axes`` names the axes in the message, last names for last axes.
    Raises CheckFailed; returns None, or the note.
    """
    want = np.asarray(want)
    array = _array(got, want, what)
    if array.shape == want.shape and _agree(array, want, rtol, atol):
        return None
    if own is not None and _is(array, own, rtol, atol):
        return PARTS_NOTE
    tag = next((t for t, v in (near or {}).items() if _is(array, v, rtol, atol)), None)
    if array.shape != want.shape:
        raise CheckFailed(tag or "wrong-shape", _shapes(array, want, what))
    message = _differences(array, want, rtol, atol, what, axes)
    if tag is None and np.any(np.isnan(array) & ~np.isnan(want)):
        tag = "nan"
    raise CheckFailed(tag or "wrong-value", message)


def equal(
    got: Any,
    want: Any,
    *,
    near: Near | None = None,
    own: Any = None,
    what: str = "",
    axes: tuple[str, ...] = ("token", "dimension"),
    tag: str = "wrong-value",
) -> str | None:
    """Pass where ``got`` is ``want`` exactly, every number and boolean of it.

    Strings, None, lists, tuples and dicts of data are compared with ``==`` and their types; for
    arrays see ``close``. ``tag`` is given to a failure that is no near miss. Raises CheckFailed.
    """
    if not isinstance(want, np.ndarray | np.generic | bool | int | float):
        return _equal_data(got, want, near, own, what, tag)
    want = np.asarray(want)
    array = _array(got, want, what)
    if array.shape == want.shape and _agree(array, want, 0.0, 0.0):
        return None
    if own is not None and _is(array, own, 0.0, 0.0):
        return PARTS_NOTE
    found = next((t for t, v in (near or {}).items() if _is(array, v, 0.0, 0.0)), None)
    if array.shape != want.shape:
        raise CheckFailed(found or "wrong-shape", _shapes(array, want, what))
    raise CheckFailed(found or tag, _differences(array, want, 0.0, 0.0, what, axes))


def require(condition: bool, message: str, tag: str = "wrong-value") -> None:
    """Raise CheckFailed(tag, message) unless ``condition`` holds."""
    if not condition:
        raise CheckFailed(tag, message)


def expect_shape(
    got: Any, shape: tuple[int, ...], what: str = "", tag: str = "wrong-shape"
) -> None:
    """Raise CheckFailed unless ``got`` is an array of this shape."""
    if not isinstance(got, np.ndarray | np.generic):
        raise CheckFailed("wrong-type", f"{_lead(what)}got {kind(got)}, want an array")
    if got.shape != tuple(shape):
        raise CheckFailed(tag, f"{_lead(what)}got shape {got.shape}, want {tuple(shape)}")


def expect_dtype(got: Any, dtype: Any, what: str = "", tag: str = "wrong-dtype") -> None:
    """Raise CheckFailed unless ``got`` is an array of this dtype, or of one of these."""
    wanted = [np.dtype(d) for d in (dtype if isinstance(dtype, list | tuple) else [dtype])]
    if not isinstance(got, np.ndarray | np.generic):
        raise CheckFailed("wrong-type", f"{_lead(what)}got {kind(got)}, want an array")
    if got.dtype not in wanted:
        names = " or ".join(d.name for d in wanted)
        raise CheckFailed(tag, f"{_lead(what)}got dtype {got.dtype.name}, want {names}")


def kind(value: Any) -> str:
    """What a value is, in words short enough for a message: ``array float32 (3, 8)``, ``None``."""
    if isinstance(value, np.ndarray):
        return f"array {value.dtype.name} {value.shape}"
    if value is None:
        return "None (a function without return gives None)"
    if isinstance(value, bool | int | float | str | np.generic):
        shown = repr(value)[:60] if isinstance(value, str) else number(value)
        return f"{type(value).__name__} {shown}"
    if isinstance(value, list | tuple):
        inside = ", ".join(kind(v) for v in value[:3]) + (", ..." if len(value) > 3 else "")
        return f"{type(value).__name__} of {len(value)}: {inside}"
    return type(value).__name__


def number(value: Any) -> str:
    """A number as a reader wants it: six digits, no trailing noise."""
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, float | np.floating):
        return f"{float(value):.6g}"
    return str(value)


def summary(value: Any, n: int = 6) -> str:
    """A value for the line that shows a check's inputs: shape, dtype and the first few numbers."""
    if isinstance(value, np.ndarray):
        flat = value.reshape(-1)[:n]
        more = ", ..." if value.size > n else ""
        return f"{value.dtype.name} {value.shape} [{', '.join(map(number, flat))}{more}]"
    if isinstance(value, dict):
        inside = ", ".join(f"{k}: {summary(v, 2)}" for k, v in list(value.items())[:n])
        return "{" + inside + (", ..." if len(value) > n else "") + "}"
    if isinstance(value, list | tuple):
        inside = ", ".join(summary(v, 3) for v in value[:n]) + (", ..." if len(value) > n else "")
        return f"[{inside}]" if isinstance(value, list) else f"({inside})"
    if isinstance(value, bytes):
        return f"{len(value)} bytes {value[:12]!r}{'...' if len(value) > 12 else ''}"
    return repr(value)[:80] if isinstance(value, str | Handle) else number(value)


def _lead(what: str) -> str:
    return f"{what}: " if what else ""


def _array(got: Any, want: np.ndarray, what: str) -> np.ndarray:
    """``got`` as an array of numbers or booleans, or a CheckFailed that says what it is instead."""
    if isinstance(got, np.ndarray | np.generic | bool | int | float | list | tuple):
        try:
            array = np.asarray(got)
        except (ValueError, OverflowError):
            array = np.asarray(None)
        if array.dtype.kind in "biuf":
            return array
        if array.dtype.kind == "c":
            raise CheckFailed("wrong-dtype", f"{_lead(what)}got complex numbers, want real ones")
    wanted = f"an array of shape {want.shape}" if want.ndim else "a number"
    raise CheckFailed("wrong-type", f"{_lead(what)}got {kind(got)}, want {wanted}")


def _bad(got: np.ndarray, want: np.ndarray, rtol: float, atol: float) -> np.ndarray:
    """True where the two differ by more than ``atol + rtol |want|``; same shapes."""
    exact = got == want
    if got.dtype.kind in "biu" and want.dtype.kind in "biu" and not rtol and not atol:
        return ~exact  # whole numbers above 2^53 must not pass through float64
    with np.errstate(all="ignore"):
        a, b = got.astype(np.float64), want.astype(np.float64)
        near = np.abs(a - b) <= atol + rtol * np.abs(b)
        near &= np.isfinite(b)
    return ~(exact | near | (np.isnan(a) & np.isnan(b)))


def _agree(got: np.ndarray, want: np.ndarray, rtol: float, atol: float) -> bool:
    return not np.any(_bad(got, want, rtol, atol))


def _is(got: np.ndarray, value: Any, rtol: float, atol: float) -> bool:
    """True where ``got`` is this other value; a value that cannot be computed is not it."""
    try:
        with np.errstate(all="ignore"):
            other = np.asarray(value() if callable(value) else value)
    except (CheckFailed, ArithmeticError, ValueError, TypeError, IndexError):
        return False
    if other.dtype.kind not in "biuf" or other.shape != got.shape:
        return False
    return _agree(got, other, rtol, atol)


def _equal_data(got: Any, want: Any, near: Near | None, own: Any, what: str, tag: str):
    if _same_data(got, want):
        return None
    if own is not None and _same_data(got, own() if callable(own) else own):
        return PARTS_NOTE
    for name, value in (near or {}).items():
        if _same_data(got, value() if callable(value) else value):
            tag = name
            break
    raise CheckFailed(tag, f"{_lead(what)}got {summary(got)}, want {summary(want)}")


def _same_data(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return (
            isinstance(a, np.ndarray)
            and isinstance(b, np.ndarray)
            and a.shape == b.shape
            and _agree(a, b, 0.0, 0.0)
        )
    if isinstance(b, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(_same_data, a, b))
    if isinstance(b, dict):
        return type(a) is dict and a.keys() == b.keys() and all(_same_data(a[k], b[k]) for k in b)
    if isinstance(a, np.generic):
        a = a.item()
    return type(a) is type(b) and a == b


def _shapes(got: np.ndarray, want: np.ndarray, what: str) -> str:
    hint = ""
    if got.ndim == want.ndim and got.ndim >= 2 and sorted(got.shape) == sorted(want.shape):
        hint = " (the same sizes in another order: transposed?)"
    elif got.size == want.size:
        hint = " (as many values: reshaped?)"
    return f"{_lead(what)}got shape {got.shape}, want {want.shape}{hint}"


def _differences(
    got: np.ndarray, want: np.ndarray, rtol: float, atol: float, what: str, axes: tuple[str, ...]
) -> str:
    """First place of difference in words, how many differ, largest error, what is allowed."""
    bad = _bad(got, want, rtol, atol)
    first = tuple(int(i) for i in np.argwhere(bad)[0])
    a, b = number(got[first]), number(want[first])
    if a == b:  # they differ beyond the sixth digit
        a, b = repr(got[first].item()), repr(want[first].item())
    text = f"{_lead(what)}{_place(first, axes)}got {a}, want {b}"
    if got.size > 1:
        text += f"; {int(bad.sum())} of {got.size} values differ"
    if np.any(nan := np.isnan(got) & ~np.isnan(want)):
        return f"{text}; {int(nan.sum())} of them are NaN"
    if got.dtype.kind == "b" or (rtol == 0 and atol == 0):
        return text
    with np.errstate(all="ignore"):
        error = np.where(bad, np.abs(got.astype(np.float64) - want.astype(np.float64)), 0.0)
    error[np.isnan(error)] = 0.0
    worst = tuple(int(i) for i in np.unravel_index(int(np.argmax(error)), error.shape))
    allowed = atol + rtol * abs(float(want[worst]))
    times = ""
    if 0 < allowed < np.inf:
        times = f", {float(error[worst]) / allowed:.3g} times what is allowed"
    where = f" ({_place(worst, axes).rstrip(': ')})" if worst != first else ""
    return (
        f"{text}; largest error {number(float(error[worst]))}{where}{times}"
        f" (allowed: {atol:g} + {rtol:g} of the value wanted)"
    )


def _place(index: tuple[int, ...], axes: tuple[str, ...]) -> str:
    """``token 3, head 1, dimension 5: `` for an index; nothing for a single number."""
    if not index:
        return ""
    names = axes[-len(index) :] if len(index) <= len(axes) else AXES.get(len(index))
    if names is None:
        return f"index {index}: "
    return ", ".join(f"{n} {i}" for n, i in zip(names, index, strict=True)) + ": "
