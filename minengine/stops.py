"""Texts at which an answer ends, found while it comes.

Owns: what may be said already and what must wait. Must not know: tokens, the engine.
"""

from __future__ import annotations

from collections.abc import Sequence


class Stops:
    """Cuts a text that comes in pieces before the first of ``texts`` that is complete in it.

    ``push`` returns what is certain: an end that may be the beginning of a stop waits for what
    comes next, so no part of a stop is ever said. ``flush`` gives what waits when no more comes.
    ``found`` is the stop that was met; nothing is said after it. Where the pieces are cut makes no
    difference.
    """

    def __init__(self, texts: Sequence[str] = ()) -> None:
        self.texts = tuple(texts)
        self.found: str | None = None
        self._held = ""

    def push(self, piece: str) -> str:
        if self.found is not None:
            return ""
        text = self._held + piece
        met = [(at + len(t), at, t) for t in self.texts if (at := text.find(t)) >= 0]
        if met:  # the first to be complete, the longest of these
            _, at, self.found = min(met)
            self._held = ""
            return text[:at]
        longest = max(map(len, self.texts), default=1) - 1
        for n in range(min(longest, len(text)), 0, -1):
            if any(t.startswith(text[-n:]) for t in self.texts):
                self._held = text[-n:]
                return text[:-n]
        self._held = ""
        return text

    def flush(self) -> str:
        held, self._held = self._held, ""
        return held
