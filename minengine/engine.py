"""The engine as a whole: a model, its tokenizer, a cache and a scheduler behind a few calls.

Owns: how they are put together, streaming, perplexity. Must not know: kernels, block layouts, the
command line. Read before: ``model.py``, ``tokenizer.py``, ``scheduler.py``, ``graph.py``.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Ids
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np

from minengine.errors import RequestError
from minengine.eviction import EVICTION
from minengine.grammar import Grammar, Matcher, Vocabulary
from minengine.graph import MODES, Batch, forward
from minengine.kvcache import BlockPool
from minengine.model import Model
from minengine.penalties import breakers_of
from minengine.sampling import Chain
from minengine.scheduler import Scheduler, Sequence
from minengine.tokenizer import Tokenizer

# A context of 128 k tokens is in the file of many a model and in the memory of few a laptop.
LONGEST_CONTEXT = 4096
BLOCK_SIZE = 32  # tokens of a block of the cache
DRY_BREAKERS = ("\n", ":", '"', "*")


def packaged_model() -> str:
    """The path of the model that comes with the package."""
    return str(resources.files("minengine") / "models" / "tiny-shakespeare.gguf")


def available_threads() -> int:
    """Processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class Perplexity:
    """How surprised a model is by a text; ``nats`` is the sum of -ln p over its tokens."""

    nats: float
    n_tokens: int
    n_characters: int
    window: int
    stride: int

    @property
    def nats_per_token(self) -> float:
        return self.nats / self.n_tokens

    @property
    def nats_per_character(self) -> float:
        """Comparable between tokenizers, which perplexity is not."""
        return self.nats / self.n_characters

    @property
    def perplexity(self) -> float:
        """``exp(nats per token)``."""
        return math.exp(min(self.nats_per_token, 709.0))


class Engine:
    """A model ready to run; ``path`` None is the packaged one.

        engine = Engine()
        for piece in engine.generate("ROMEO:", max_tokens=50, seed=1):
            print(piece, end="", flush=True)

    ``context`` is the most tokens a sequence may have: the model's own unless given, and at most
    LONGEST_CONTEXT unless given. The cache has ``n_blocks`` blocks of ``block_size`` tokens: room
    for four full contexts unless given. ``mode`` "fast" rounds activations to 8 bits in products
    with quantized weights, "exact" rounds nothing: what other implementations are held against.
    A text whose beginning another one had, finds its keys and values in the cache
    (``share_prefixes``) until ``eviction`` (lru, fifo, lfu) gives them up. ``n_threads`` None is
    every processor this process may use; results are the same bits for any number. One engine
    serves one thread of the caller; several generations may be under way on it at once. Errors:
    what ``Model.load`` and ``Tokenizer`` raise; ``RequestError`` for options out of range.
    """

    def __init__(
        self,
        path: str | os.PathLike | None = None,
        n_threads: int | None = None,
        *,
        context: int | None = None,
        block_size: int = BLOCK_SIZE,
        n_blocks: int | None = None,
        n_batch: int = 256,
        cache_format: str = "F32",
        mode: str = "exact",
        eviction: str = "lru",
        share_prefixes: bool = True,
    ) -> None:
        options = {"context": context, "n_threads": n_threads, "block_size": block_size}
        for name, n in (options | {"n_blocks": n_blocks, "n_batch": n_batch}).items():
            if n is not None and (not isinstance(n, int) or n < 1):
                raise RequestError(f"{name}: got {n!r}, want a whole number from 1 on")
        self.model = Model.load(path or packaged_model(), context=context or LONGEST_CONTEXT)
        h = self.model.hparams
        self.tokenizer = Tokenizer(self.model.file.metadata)
        if context is not None and context > h.context_length:
            raise RequestError(f"context: got {context}, the model was made for {h.context_length}")
        if eviction not in EVICTION:
            raise RequestError(f"eviction: got {eviction!r}, want {', '.join(EVICTION)}")
        if mode not in MODES:
            raise RequestError(f"mode: got {mode!r}, want {' or '.join(MODES)}")
        self.mode, self.context = mode, context or min(h.context_length, LONGEST_CONTEXT)
        self.n_threads = n_threads or available_threads()
        n_blocks = n_blocks or 4 * -(-self.context // block_size)
        self.context = min(self.context, n_blocks * block_size)
        self.pool = BlockPool(
            n_blocks, block_size, h.n_layers, h.G, h.E, cache_format, eviction=eviction
        )
        self.scheduler = Scheduler(self.pool, n_batch=n_batch, share_prefixes=share_prefixes)

    def close(self) -> None:
        """Let go of the file; generations under way end at their next piece."""
        for sequence in [*self.scheduler.waiting, *self.scheduler.running]:
            self.scheduler.remove(sequence)
        self.model.file.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def tokenize(
        self, text: str | bytes, *, add_special: bool = True, parse_special: bool = False
    ) -> list[int]:
        """Token ids of a text, beginning with BOS where the model wants it; see
        ``Tokenizer.encode``.
        """
        return self.tokenizer.encode(text, add_special=add_special, parse_special=parse_special)

    def detokenize(self, ids: Ids[int]) -> str:
        """The text of token ids; see ``Tokenizer.decode``."""
        return self.tokenizer.decode(ids)

    def logits(self, ids: Ids[int]) -> np.ndarray:
        """Logits after each of T tokens: float32 (T, V); row t scores what may follow token t.

        Errors: ``RequestError`` for ids out of range or more of them than the context holds;
        ``OutOfBlocks`` where running generations have taken the cache.
        """
        ids = self._checked(ids)
        out = np.empty((len(ids), self.model.hparams.V), np.float32)
        table: list[int] = []
        try:
            for start in range(0, len(ids), self.scheduler.n_batch):
                chunk = ids[start : start + self.scheduler.n_batch]
                self.pool.writable(table, start, len(chunk))
                piece = [(chunk, start, table)]
                batch = Batch.of(piece, self.pool.block_size, all_logits=True)
                out[start : start + len(chunk)] = self._forward(batch)
        finally:
            self.pool.free(table)
        return out

    def sequence(
        self,
        prompt: str | bytes | Ids[int],
        *,
        max_tokens: int = 128,
        seed: int | None = None,
        parse_special: bool = False,
        penalize_prompt: bool = True,
        grammar: str | Grammar | None = None,
        dry_breakers: Ids[str] = DRY_BREAKERS,
        **sampling: Any,
    ) -> Sequence:
        """A checked request, not under way yet: text or token ids to continue by at most
        ``max_tokens`` tokens.

        ``grammar``, in the notation of ``gbnf.py`` (``json_schema.py`` writes it), is what the
        whole answer matches, or begins where ``max_tokens`` cuts it off; a Grammar may serve many
        sequences. ``penalize_prompt``:
        do the penalties look back at the prompt too? DRY's passages do not reach over
        ``dry_breakers``. ``sampling`` takes the options of ``sampling.Chain``. Errors:
        ``RequestError`` says which option is wrong.
        """
        if isinstance(prompt, (str, bytes)):
            prompt = self.tokenize(prompt, parse_special=parse_special)
        ids = self._checked(prompt)
        if sampling.get("dry_multiplier") and "breakers" not in sampling:
            sampling["breakers"] = self.breakers(dry_breakers)
        if grammar is not None:
            grammar = Grammar(grammar) if isinstance(grammar, str) else grammar
            sampling["grammar"] = Matcher(grammar, self._vocabulary)
        chain = Chain(seed=seed, **sampling)
        if not isinstance(max_tokens, int) or max_tokens < 1:
            raise RequestError(f"max_tokens: got {max_tokens!r}, want a whole number from 1 on")
        if len(ids) >= self.context:
            raise RequestError(
                f"a prompt of {len(ids)} tokens: the context of {self.context} leaves no room"
            )
        chain.recall(ids if penalize_prompt else ())
        limit = len(ids) + max_tokens
        if limit <= self.context:
            return Sequence(ids, chain, limit)
        return Sequence(ids, chain, self.context, "context")

    @functools.cached_property
    def _vocabulary(self) -> Vocabulary:
        t = self.tokenizer
        return Vocabulary(t.bytes_of, t.ends, t.ids)

    def breakers(self, texts: Ids[str]) -> dict[int, list[list[int]]]:
        """Where repeated passages end for DRY, as ``penalties.dry`` wants it; a control token has
        the text that it has in the vocabulary.
        """
        t = self.tokenizer
        pieces = list(t.bytes_of)
        for i in t.special:
            pieces[i] = t.texts[i]
        return breakers_of(pieces, t.segment, [text.encode() for text in texts])

    def generate(self, prompt: str | bytes | Ids[int], **options: Any) -> Generation:
        """Continue a prompt: an iterator of pieces of text, each whole characters, as they come.

        Options are those of ``sequence``: ``max_tokens``, ``seed``, ``temperature``, ``top_k``,
        ``top_p``, ``greedy``. They are checked at once. It ends at an end token, after
        ``max_tokens``, or where the context is full; which of these it was is in
        ``.sequence.reason``.
        """
        return Generation(self, self.sequence(prompt, **options))

    def step(self) -> list[Sequence]:
        """One pass for every sequence under way -> those that got a token or ended by it.

        A failed or interrupted pass changes nothing that the next one does not make good.
        """
        plan = self.scheduler.next()
        if plan is None:
            return []
        logits = self._forward(plan.batch)
        ready = self.scheduler.advance(plan)
        for row, sequence in ready:
            sequence.append(sequence.chain.sample(logits[row]), self.tokenizer.ends)
            if sequence.reason:
                self.scheduler.remove(sequence)
        return [sequence for _, sequence in ready]

    def perplexity(
        self,
        text: str | bytes,
        *,
        window: int | None = None,
        stride: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Perplexity:
        """How well the model predicts a text, each of its tokens scored exactly once.

        ``-sum_i ln softmax(logits)_i``, in windows of ``window`` tokens (the context unless given)
        that begin with BOS. Each window scores the last ``stride`` tokens (half a window unless
        given) that none before it has scored; the others are there to be looked back at.
        ``progress`` is called with tokens scored and tokens in all. Errors: ``RequestError`` for an
        empty text, a window or stride out of range.
        """
        window = self.context if window is None else window
        stride = max(1, window // 2) if stride is None else stride
        if not 1 <= window <= self.context:
            raise RequestError(f"window: got {window}, want 1 to the context of {self.context}")
        if not 1 <= stride <= window:
            raise RequestError(f"stride: got {stride}, want 1 to the window of {window}")
        ids, bos = self.tokenize(text, add_special=False), self.tokenizer.bos
        if not ids or bos is None:
            raise RequestError(
                "the text has no tokens" if not ids else "the model has no BOS token"
            )
        nats, scored, n = 0.0, 0, len(ids)
        while scored < n:
            start = max(0, min(scored - (window - stride), n - window))
            targets = np.array(ids[start : start + window])
            logits = self.logits([bos, *targets[:-1].tolist()])[scored - start :]
            nats += float(np.sum(surprise(logits, targets[scored - start :])))
            scored = start + len(targets)
            if progress is not None:
                progress(scored, n)
        n_characters = len(text if isinstance(text, str) else text.decode("utf-8", "replace"))
        return Perplexity(nats, n, n_characters, window, stride)

    def _forward(self, batch: Batch) -> np.ndarray:
        return forward(self.model, batch, self.pool, mode=self.mode, n_threads=self.n_threads)

    def _checked(self, ids: Ids[int]) -> list[int]:
        """``ids`` as plain integers that the vocabulary has and the context holds."""
        array = np.asarray(ids)
        if array.size and (array.ndim != 1 or array.dtype.kind not in "iu"):
            raise RequestError(
                f"token ids: got {array.dtype} of shape {array.shape}, want integers"
            )
        V = self.model.hparams.V
        bad = [i for i in array.tolist() if not 0 <= i < V]
        if bad:
            raise RequestError(f"token id {bad[0]}: the vocabulary has ids 0 to {V - 1}")
        if array.size > self.context:
            raise RequestError(f"{array.size} tokens: the context holds {self.context}")
        return array.tolist()


class Generation(Iterator[str]):
    """The text of one sequence as it comes; ``close`` ends it early and frees its part of the
    cache.

    It runs only while it is iterated. Two of them on one engine share their passes: whoever asks
    for a piece first moves both on.
    """

    def __init__(self, engine: Engine, sequence: Sequence) -> None:
        self.sequence = sequence
        self._pieces = self._run(engine)

    def __next__(self) -> str:
        return next(self._pieces)

    def close(self) -> None:
        """Stop; what was generated so far stays in ``sequence.tokens``."""
        self._pieces.close()

    def _run(self, engine: Engine) -> Iterator[str]:
        sequence, stream = self.sequence, engine.tokenizer.stream()
        n_printed = sequence.n_prompt
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
            if rest := stream.flush():
                yield rest
        finally:
            engine.scheduler.remove(sequence)


def surprise(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """``-ln softmax(logits)[target]`` for each row, in float64: (T, V), (T,) -> (T,) nats."""
    x = logits.astype(np.float64)
    x -= x.max(axis=1, keepdims=True)
    return np.log(np.exp(x).sum(axis=1)) - x[np.arange(len(x)), targets]
