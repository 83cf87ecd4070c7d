"""The calls that a check made to a student, kept so that a failure can show its inputs.

Owns: Traced, which stands between a check and any student (sandboxed or local). Must not know:
where the code runs, points, seeds. Read before: wire.py, difference.py.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from autograder.difference import summary
from autograder.request import Given
from autograder.wire import Handle

MAX_CALLS = 8  # of an object's methods, that are shown


class Traced:
    """A student that remembers the calls made to it and to the objects it gave."""

    def __init__(self, student: Any, known: dict[str, bool] | None = None) -> None:
        """``known`` is what a run has found out: does a check that others rely on pass?"""
        self._student = student
        self.known = {} if known is None else known
        self._calls: dict[str, tuple[tuple, dict]] = {}
        self._story: deque[str] = deque(maxlen=MAX_CALLS + 1)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        target = getattr(self._student, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            shift = name == "observe" and bool(args)
            called, given = (args[0], args[1:]) if shift else (name, args)
            self._keep(called, given, kwargs)
            value = target(*map(_plain, args), **{k: _plain(v) for k, v in kwargs.items()})
            return self._traced(value, called, given, kwargs)

        return call

    def several(self, name: str, calls: Iterable[Given]) -> Iterator[Any]:
        """The values of calls that travel together; the latest call is the one whose value came."""
        calls = list(calls)
        values = self._student.several(name, [_plain(call) for call in calls])
        for args, kwargs in calls:
            self._keep(name, args, kwargs)
            yield self._traced(next(values), name, args, kwargs)

    def _keep(self, name: str, args: tuple, kwargs: dict[str, Any]) -> None:
        self._calls.pop(name, None)  # so that the latest stands last
        self._calls[name] = (args, kwargs)

    def _traced(self, value: Any, name: str, args: tuple, kwargs: dict[str, Any]) -> Any:
        if not isinstance(value, Handle):
            return value
        self._story.clear()
        self._story.append(_shown(name, args, kwargs))
        return TracedHandle(value, self._story)

    # What a check asks of the student's side itself, and no call of theirs.

    def workshop(self, name: str, program: str, packages: Iterable[Path] = ()) -> Any:
        return self._student.workshop(name, program, packages)

    def lent(self, parts: Any) -> Any:
        return self._student.lent(parts)

    @property
    def sources(self) -> Mapping[str, str]:
        return self._student.sources

    @property
    def measured(self) -> dict[str, Any]:
        return self._student.measured

    @property
    def cpu_s(self) -> float:
        return self._student.cpu_s

    def planted(self, source: str) -> AbstractContextManager[None]:
        return self._student.planted(source)

    def instead(self, source: str) -> AbstractContextManager[Any]:
        return self._student.instead(source)

    def inputs(self, hole: str) -> str:
        """The last call of ``hole`` (or of anything), or an object's making and its last calls.

        ``called: rms_norm(float64 (3, 8) [...], eps=0.01)``; nothing before the first call.
        """
        if not self._calls:
            return ""
        if self._story:
            dots = ["..."] if len(self._story) > MAX_CALLS else []
            return "called: " + "; ".join([*dots, *list(self._story)[-MAX_CALLS:]])
        name = hole if hole in self._calls else list(self._calls)[-1]
        return f"called: {_shown(name, *self._calls[name])}"


class TracedHandle(Handle):
    """An object of the student's whose calls are remembered."""

    def __init__(self, handle: Handle, story: deque[str]) -> None:
        self._handle, self._story = handle, story

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        target = getattr(self._handle, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self._story.append("." + _shown(name, args, kwargs))
            value = target(*map(_plain, args), **{k: _plain(v) for k, v in kwargs.items()})
            return TracedHandle(value, self._story) if isinstance(value, Handle) else value

        return call

    def __repr__(self) -> str:
        return repr(self._handle)

    def __del__(self) -> None:
        """Nothing: the handle inside lets its object go."""


def _shown(name: str, args: tuple, kwargs: dict[str, Any]) -> str:
    shown = [summary(a) for a in args] + [f"{k}={summary(v)}" for k, v in kwargs.items()]
    return f"{name}({', '.join(shown)})"


def _plain(value: Any) -> Any:
    """The value as the student's side knows it: its own handles again."""
    if isinstance(value, TracedHandle):
        return value._handle
    if type(value) in (list, tuple):
        return type(value)(_plain(v) for v in value)
    if type(value) is dict:
        return {k: _plain(v) for k, v in value.items()}
    return value
