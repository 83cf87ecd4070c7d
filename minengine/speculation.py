"""Guesses of the next tokens, which one pass of the network checks all at once.

Owns: where guesses come from. Must not know: how they are checked (``Engine.step``), scheduling.
Read before: ``engine.py``.

A pass over k + 1 tokens of one sequence reads every weight once, as a pass over one token does, so
guesses that are right are nearly free. The text is the same with and without: a token is drawn from
the model's own logits, and a guess only decides whether the next logits are there already.
"""

from __future__ import annotations

from collections.abc import Sequence as Ids

import numpy as np

from minengine.batch import Batch, Piece
from minengine.cells import Cells
from minengine.engine import Engine
from minengine.errors import RequestError
from minengine.graph import forward


class PromptLookup:
    """Guesses that what followed the last few tokens before follows them again.

    The longest suffix of ``longest`` to ``shortest`` tokens that occurs earlier decides, its last
    occurrence first: up to ``n_draft`` of the tokens after it. Free, and right where a text repeats
    its prompt: summaries, code, edits. Saxena 2023, "Prompt Lookup Decoding".
    """

    def __init__(self, n_draft: int = 8, *, longest: int = 4, shortest: int = 2) -> None:
        if n_draft < 1 or not 1 <= shortest <= longest:
            raise RequestError(
                f"prompt lookup: {n_draft} tokens after {shortest} to {longest}, "
                "want at least one after one"
            )
        self.n_draft, self.longest, self.shortest = n_draft, longest, shortest

    def propose(self, tokens: Ids[int]) -> list[int]:
        """What followed the last tokens before."""
        array = np.asarray(tokens)
        for n in range(min(self.longest, len(array) - 1), self.shortest - 1, -1):
            windows = np.lib.stride_tricks.sliding_window_view(array[:-1], n)
            found = np.flatnonzero((windows == array[-n:]).all(axis=1))
            if found.size:
                after = int(found[-1]) + n
                return array[after : after + self.n_draft].tolist()
        return []


class DraftModel:
    """Guesses by a smaller model of the same vocabulary, its likeliest token each time.

    ``engine`` is the smaller model's and is used by nobody else meanwhile: one drafter serves one
    sequence. Its cache keeps what the two texts have in common. It stops guessing where it is less
    sure than ``least``.
    """

    def __init__(self, engine: Engine, n_draft: int = 4, *, least: float = 0.0) -> None:
        if n_draft < 1:
            raise RequestError(f"draft: {n_draft} tokens, want at least 1")
        self.engine, self.n_draft, self.least = engine, n_draft, least
        self._cells, self._tokens = Cells(engine.pool), []

    def propose(self, tokens: Ids[int]) -> list[int]:
        """What the smaller model would write."""
        room = self.engine.context - len(tokens)
        if room < self.n_draft or max(tokens) >= self.engine.model.hparams.V:
            return []
        same = 0
        while same < min(self._cells.n, len(tokens) - 1) and self._tokens[same] == tokens[same]:
            same += 1
        self._cells.truncate(same)
        self._tokens, draft = list(tokens), []
        new = self._tokens[same:]
        while len(draft) < self.n_draft:
            row = self._read(new)
            p = np.exp(row - row.max())
            best = int(np.argmax(row))
            if p[best] / p.sum() < self.least:
                break
            draft.append(best)
            self._tokens.append(best)
            new = [best]
        return draft

    def _read(self, new: list[int]) -> np.ndarray:
        """Logits after the tokens so far, the last of which are new to the model."""
        e, cells, row = self.engine, self._cells, None
        for at in range(0, len(new), e.scheduler.n_batch):
            part = new[at : at + e.scheduler.n_batch]
            cells.room(len(part))
            batch = Batch.of([Piece(part, cells.n, cells.table)], e.pool.block_size)
            row = forward(e.model, batch, e.pool, mode=e.mode, n_threads=e.n_threads)[0]
            cells.wrote(len(part))
        return row
