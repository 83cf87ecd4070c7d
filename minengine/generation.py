"""The text of one sequence as it comes.

Owns: streaming. Must not know: who else runs. Read before: ``tokenizer.py`` (Stream),
``scheduler.py``; read after: ``engine.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minengine.sequence import Sequence


class Generation(Iterator[str]):
    """The text of one sequence as it comes; ``close`` ends it early and frees its part of the
    cache.

    What the sequence has said before is not said again. It runs only while it is iterated. Two of
    them on one engine share their passes: whoever asks for a piece first moves both on. Errors: the
    sequence's own, ``OutOfBlocks``.
    """

    def __init__(self, engine: Any, sequence: Sequence) -> None:
        self.sequence = sequence
        self._pieces = self._run(engine)

    def __next__(self) -> str:
        return next(self._pieces)

    def close(self) -> None:
        """Stop; what was generated so far stays in ``sequence.tokens``."""
        self._pieces.close()

    def _run(self, engine: Any) -> Iterator[str]:
        sequence, stream = self.sequence, engine.tokenizer.stream()
        for token in sequence.tokens[sequence.n_prompt :]:
            stream.push(token)  # half a character may be waiting
        n_printed = len(sequence.tokens)
        engine.scheduler.add(sequence)
        try:
            while True:
                while n_printed < len(sequence.tokens):
                    n_printed += 1
                    if piece := stream.push(sequence.tokens[n_printed - 1]):
                        yield piece
                if sequence.reason:
                    break
                engine.step()
            if sequence.reason == "failed":
                raise sequence.error
            if rest := stream.flush():
                yield rest
        finally:
            engine.scheduler.remove(sequence)
