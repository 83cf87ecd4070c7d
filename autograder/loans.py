"""What a submission is lent: the text that asks from inside its sandbox, our answers outside.

Owns: sending ``lent.py`` as text, calling our function on a stranger's arguments. Must not know:
frames, processes, why something is lent (checks.relying_on). Read before: lent.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

MOST_ASKED = 5000  # questions in one call of a submission's function
TEXT = Path(__file__).with_name("lent.py")
TAKE_BACK = "__submission__.take_back()\n"
Parts = Mapping[str, Callable[..., Any]]


class Refused(Exception):
    """A lent function could not do with the arguments it was given."""


def source(names: Iterable[str]) -> str:
    """What a submission's namespace executes to be lent functions of these names."""
    text = TEXT.read_text(encoding="utf-8")
    line = f"exec(compile({text!r}, 'lent', 'exec'), lent := {{}})"
    return f"{line}; lent['lend'](__submission__, {list(names)!r}); del lent\n"


def answer(parts: Parts, name: str, args: list[Any], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """(value, the positional arguments as the call left them).

    Refused for whatever the function raises: the arguments are a stranger's and may be anything.
    """
    try:
        with np.errstate(all="ignore"):
            value = parts[name](*args, **kwargs)
    except Exception as error:  # noqa: BLE001 - of arguments that nobody checked
        raise Refused(f"{name}: {type(error).__name__}: {error}"[:500]) from None
    return value, *args


@contextmanager
def in_namespace(namespace: MutableMapping[str, Any], parts: Parts):
    """The parts stand in a live namespace while entered; then what stood there before."""
    own = {name: namespace[name] for name in parts if name in namespace}
    namespace.update(parts)
    try:
        yield
    finally:
        for name in parts:
            namespace.pop(name, None)
        namespace.update(own)
