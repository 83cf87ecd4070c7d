"""A student's code in this very process: the live names of their notebook. Worth no marks.

Behaves as ``sandbox.Student`` does: arguments are copies, what the code raises becomes a
StudentError, warnings are kept and cost nothing. Owns: LocalStudent. Must not know: notebooks,
checks, sandboxes. Read before: wire.py, loans.py.
"""

from __future__ import annotations

import copy
import functools
import inspect
import linecache
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from autograder import loans
from autograder.request import Given
from autograder.wire import Handle, Observation, StudentError

PLAIN = (np.ndarray, np.generic, bool, int, float, complex, str, bytes, type(None))


class LocalStudent:
    """The functions and classes of a namespace, called as a check calls a sandboxed student."""

    def __init__(
        self,
        namespace: MutableMapping[str, Any],
        names: Sequence[str] | None = None,
        sources: Mapping[str, str] | None = None,
    ) -> None:
        """``names`` are the holes; None is every name of the namespace. ``sources`` are the holes'
        texts where they are known; else those of the cells that ran are looked up.
        """
        self._namespace = namespace
        self._names = names
        self._sources = sources
        self.measured: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **kwargs: self.observe(name, *args, **kwargs).value

    def several(self, name: str, calls: Iterable[Given]) -> Iterator[Any]:
        """The values of calls that do not depend on each other, ``(args, kwargs)`` of each."""
        return (self.observe(name, *args, **kwargs).value for args, kwargs in calls)

    def workshop(self, name: str, program: str, packages: Iterable[Path] = ()) -> LocalStudent:
        """The same code in this process, with what is installed here; it is not sandboxed."""
        return LocalStudent(_executed(program))

    def lent(self, parts: loans.Parts) -> AbstractContextManager[None]:
        """While entered, these functions stand in the place of the student's own."""
        return loans.in_namespace(self._namespace, parts)

    def observe(self, name: str, /, *args: Any, **kwargs: Any) -> Observation:
        """Call ``name`` on copies of the arguments and say what became of them."""
        target = self._namespace.get(name)
        if target is None or (self._names is not None and name not in self._names):
            raise StudentError("missing", f"{name} is not defined: run its cell first")
        return observe(target, name, args, kwargs)

    @property
    def sources(self) -> Mapping[str, str]:
        """The text of the cell that defined each function and class, by its name."""
        if self._sources is not None:
            return self._sources
        names = self._names or [n for n, v in self._namespace.items() if _own_code(v)]
        found = {n: _cell_of(self._namespace.get(n)) for n in names}
        return {name: text for name, text in found.items() if text}

    @property
    def cpu_s(self) -> float:
        """Processor seconds of this process so far."""
        return time.process_time()

    @contextmanager
    def planted(self, source: str) -> Iterator[None]:
        """Run ``source`` in the namespace; its names are what they were afterwards."""
        before, names = dict(self._namespace), self._names
        try:
            exec(compile(source, "<planted>", "exec", dont_inherit=True), self._namespace)
            self._names = None
            yield
        finally:
            self._names = names
            for name in [n for n in self._namespace if n not in before]:
                del self._namespace[name]
            self._namespace.update(before)

    @contextmanager
    def instead(self, source: str) -> Iterator[LocalStudent]:
        """Another program in the place of the student's, in a namespace of its own."""
        namespace: dict[str, Any] = {"np": np}
        exec(compile(source, "<program>", "exec", dont_inherit=True), namespace)
        yield LocalStudent(namespace)


@functools.lru_cache(8)
def _executed(program: str) -> dict[str, Any]:
    """The names that a program defines."""
    names: dict[str, Any] = {"__name__": "workshop"}
    exec(compile(program, "<workshop>", "exec"), names)
    return names


class LocalHandle(Handle):
    """An object of the student's that is no data: its methods are called as functions are."""

    def __init__(self, target: Any) -> None:
        self._target = target

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        target = self._target

        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                method = getattr(target, name)
            except AttributeError as error:
                raise StudentError("missing", str(error)) from None
            return observe(method, name, args, kwargs).value

        return call

    def __repr__(self) -> str:
        return f"<{type(self._target).__name__} object of the submission>"

    def __del__(self) -> None:
        """Nothing is kept elsewhere."""


def observe(target: Any, name: str, args: tuple, kwargs: dict[str, Any]) -> Observation:
    """One call: the value, the arguments afterwards, shared memory, warnings, seconds."""
    given, named = [_copy(a) for a in args], {k: _copy(v) for k, v in kwargs.items()}
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        started = time.perf_counter()
        try:
            value = target(*given, **named)
        except NotImplementedError:
            raise StudentError("not-implemented", f"{name} is not written yet") from None
        except RecursionError:
            raise StudentError("error", f"{name}: RecursionError: endless recursion") from None
        except MemoryError:
            raise StudentError("memory", f"{name}: MemoryError") from None
        except Exception as error:
            raise StudentError("error", _words(name, error)) from error
        seconds = time.perf_counter() - started
    arrays = [a for a in _arrays([given, named]) if a.size]
    shares = any(np.may_share_memory(v, a) for v in _arrays(value) for a in arrays)
    texts = [f"{w.category.__name__}: {w.message}" for w in seen]
    return Observation(_wrapped(value), given, named, shares, texts, seconds)


def _copy(value: Any) -> Any:
    """A copy as crossing to another process makes one; handles stay what they are."""
    if isinstance(value, LocalHandle):
        return value._target
    if isinstance(value, list | tuple):
        return type(value)(_copy(v) for v in value)
    if isinstance(value, dict):
        return {k: _copy(v) for k, v in value.items()}
    return copy.deepcopy(value) if isinstance(value, np.ndarray) else value


def _wrapped(value: Any) -> Any:
    """Data as it is, any other object behind a handle."""
    if isinstance(value, PLAIN):
        return value
    if type(value) in (list, tuple):
        return type(value)(_wrapped(v) for v in value)
    if type(value) is dict:
        return {k: _wrapped(v) for k, v in value.items()}
    return LocalHandle(value)


def _arrays(value: Any) -> list[np.ndarray]:
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [a for v in value for a in _arrays(v)]
    return []


def _own_code(value: Any) -> Any:
    """The code of a function or of a class's first method, None of anything else."""
    if inspect.isclass(value):
        value = next((m for m in vars(value).values() if inspect.isfunction(m)), None)
    return value.__code__ if inspect.isfunction(value) else None


def _cell_of(value: Any) -> str:
    """The whole text of the notebook's cell (Jupyter keeps it as a file's) that defined it."""
    code = _own_code(value)
    return "".join(linecache.getlines(code.co_filename)) if code else ""


def _words(name: str, error: BaseException) -> str:
    """``rms_norm: ValueError: ... (line 4: y = x @ w)``: the innermost line of the student's."""
    frames = [
        f
        for f in traceback.extract_tb(error.__traceback__)[1:]
        if "site-packages" not in f.filename and not f.filename.startswith("<frozen")
    ]
    where = f" (line {frames[-1].lineno}: {frames[-1].line})" if frames and frames[-1].line else ""
    return f"{name}: {type(error).__name__}: {error}{where}"[:2000]
