"""Multiplications counted in a submission's process: arrays that note what is done with them.

`dequantize` is made to give `Counted` arrays, and what is computed of one is one again. Sent to the
sandbox as text and run in the submission's namespace: a meter, no wall. Its limits: what leaves
NumPy (lists, buffers) or strips the class (``view(np.ndarray)``) is not counted, so too small a
count proves nothing and speed.py then looks at time instead; nothing is ever counted twice that was
done once. Must not know: the course.
"""

import numpy as np


class Meter:
    """Multiplications so far; ``on`` and ``off`` change and restore what NumPy copies to."""

    def __init__(self) -> None:
        self.n = 0
        self.kept = {}

    def on(self) -> None:
        """asarray and its kin drop subclasses; while the meter is on they keep this one."""
        for name in ("array", "asarray", "ascontiguousarray", "asfortranarray"):
            self.kept[name] = getattr(np, name)
            setattr(np, name, _keeping(self.kept[name]))

    def off(self) -> None:
        """NumPy as it was."""
        for name, function in self.kept.items():
            setattr(np, name, function)
        self.kept = {}


def _keeping(function):
    def kept(a, *args, **kwargs):
        out = function(a, *args, **kwargs)
        return out.view(Counted) if isinstance(a, Counted) else out

    return kept


class Counted(np.ndarray):
    """An array whose products are counted, and all that is made of it."""

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        plain = [_plain(x) for x in inputs]
        if out is not None:
            kwargs["out"] = tuple(_plain(o) for o in out)
        result = getattr(ufunc, method)(*plain, **kwargs)
        if method == "__call__" and ufunc.__name__ in ("matmul", "vecdot", "matvec", "vecmat"):
            METER.n += _products(np.shape(plain[0]), np.shape(plain[1]), np.shape(result))
        elif ufunc.__name__ == "multiply" and method in ("__call__", "outer"):
            METER.n += np.size(result)
        if out is not None:
            return out[0] if len(out) == 1 else out
        return _counted(result)

    def __array_function__(self, func, types, args, kwargs):
        name = func.__name__
        if name in ("dot", "inner", "vdot", "tensordot", "einsum"):
            result = func(*[_plain(a) for a in args], **{k: _plain(v) for k, v in kwargs.items()})
            if name == "einsum":
                METER.n += _labels(args)
            else:  # M K and K N make M N
                sizes = np.size(args[0]) * np.size(args[1]) * np.size(result)
                METER.n += round(sizes**0.5)
            return _counted(result)
        return _counted(super().__array_function__(func, types, args, kwargs))


def _plain(value):
    return value.view(np.ndarray) if isinstance(value, Counted) else value


def _counted(value):
    return value.view(Counted) if isinstance(value, np.ndarray) else value


def _products(a: tuple, b: tuple, out: tuple) -> int:
    """Of matmul: the size of the result times the axis that is summed."""
    n = 1
    for size in out:
        n *= size
    return n * (a[-1] if a else 1)


def _labels(args: tuple) -> int:
    """Of einsum: the product of the sizes of all its letters."""
    if not isinstance(args[0], str):
        return 0
    sizes, dots = {}, []
    for term, operand in zip(args[0].split("->")[0].split(","), args[1:], strict=False):
        letters, shape = term.replace(" ", ""), np.shape(operand)
        before, _, after = letters.partition("...")
        for letter, size in zip(before, shape, strict=False):
            sizes[letter] = max(size, sizes.get(letter, 1))
        for letter, size in zip(after[::-1], shape[::-1], strict=False):
            sizes[letter] = max(size, sizes.get(letter, 1))
        dots.append(shape[len(before) : len(shape) - len(after)])
    total = 1
    for size in (*np.broadcast_shapes(*dots), *sizes.values()):
        total *= size
    return total


METER = Meter()
