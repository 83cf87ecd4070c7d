"""What the banks may call: each row of ``ANSWERS`` asks the engine for one number, shape, text or
truth.

Owns: turning drawn parameters into a question to the oracle, to a table of the engine or to the
packaged model; a file for each bank, and ``serving.py`` for interviews. Must not know: YAML,
students, how a value is printed. Read before: ``minengine/oracle.py``. Next: ``transformer.py``.

Shape letters are the engine's. A function whose name ends in ``_mistake`` computes what a known
mistake would give, so that a student who made it is told which one it was; it is the one kind of
arithmetic here that is wrong on purpose. Lists come as texts of numbers: "0.5 0.25 0.25".
"""

from __future__ import annotations

from collections.abc import Callable

from quizzes.answers import attention, cache, debugging, memory, sampling, serving, transformer

ANSWERS: dict[str, Callable[..., object]] = {
    row.__name__: row
    for module in (transformer, attention, cache, sampling, memory, debugging, serving)
    for row in module.ROWS
}
