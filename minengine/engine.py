"""The engine as a whole: a model, its tokenizer, a cache and a scheduler behind a few calls.

Owns: how they are put together, streaming. Must not know: kernels, block layouts, the command line.
Read before: ``model.py``, ``tokenizer.py``, ``scheduler.py``, ``graph.pyx``. Read after:
``perplexity.py``, ``embeddings.py``.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from collections.abc import Sequence as Ids
from importlib import resources
from typing import Any

import numpy as np

import minengine.state as state
from minengine.batch import Batch
from minengine.embeddings import embed
from minengine.errors import RequestError
from minengine.eviction import EVICTION
from minengine.formats import FORMATS
from minengine.generation import Generation
from minengine.grammar import Grammar, Matcher, Vocabulary
from minengine.graph import MODES, forward
from minengine.kvcache import BlockPool
from minengine.memory import Memory
from minengine.model import Model
from minengine.penalties import breakers_of
from minengine.perplexity import Perplexity, Progress, measure
from minengine.reading import read
from minengine.repacking import repacked, repacked_bytes
from minengine.sampling import Chain
from minengine.scheduler import QUEUES, Scheduler
from minengine.sequence import Drafter, Sequence
from minengine.tokenizer import Tokenizer

# A context of 128 k tokens is in the file of many a model and in the memory of few a laptop.
LONGEST_CONTEXT = 4096
BLOCK_SIZE = 32  # tokens of a block of the cache
MOST_BREAKERS = 8  # sets of DRY's breakers that are remembered
DRY_BREAKERS = ("\n", ":", '"', "*")


def packaged_model() -> str:
    """The path of the model that comes with the package."""
    return str(resources.files("minengine") / "models" / "tiny-shakespeare.gguf")


def available_threads() -> int:
    """Processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Engine:
    """A model ready to run; ``path`` None is the packaged one.

        engine = Engine()
        for piece in engine.generate("ROMEO:", max_tokens=50, seed=1):
            print(piece, end="", flush=True)

    ``context`` is the most tokens a sequence may have: the model's own unless given, and at most
    LONGEST_CONTEXT unless given. The cache has ``n_blocks`` blocks of ``block_size`` tokens: room
    for four full contexts unless given. ``mode`` "fast" rounds activations to 8 bits in products
    with quantized weights: for generation; "exact" rounds nothing: what other implementations and
    students' answers are held against. ``repack`` copies the matrices into an order that the fast
    mode reads faster (`repacking.py`), for an engine that lives long: ``repacked_bytes`` of memory.
    A text whose beginning another one had, finds its keys and values in the cache
    (``share_prefixes``) until ``eviction`` (lru, fifo, lfu) gives them up. ``queue`` "fair" admits
    the user's sequence who was served least, "fcfs" the first that came. ``n_threads`` None is
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
        mode: str = "fast",
        repack: bool = False,
        eviction: str = "lru",
        share_prefixes: bool = True,
        queue: str = "fcfs",
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
        fitting = [name for name, f in FORMATS.items() if h.E % f.block_size == 0]
        if cache_format not in fitting:
            raise RequestError(f"cache_format: got {cache_format!r}, want {', '.join(fitting)}")
        if mode not in MODES:
            raise RequestError(f"mode: got {mode!r}, want {' or '.join(MODES)}")
        if queue not in QUEUES:
            raise RequestError(f"queue: got {queue!r}, want {' or '.join(QUEUES)}")
        self.n_threads = n_threads or available_threads()
        if repack and mode == "fast":
            self.model = repacked(self.model, n_threads=self.n_threads)
        self.repacked_bytes = repacked_bytes(self.model)
        self.mode, self.context = mode, context or min(h.context_length, LONGEST_CONTEXT)
        n_blocks = n_blocks or 4 * -(-self.context // block_size)
        self.context = min(self.context, n_blocks * block_size)
        try:
            self.pool = BlockPool(
                n_blocks, block_size, h.n_layers, h.G, h.E, cache_format, eviction=eviction
            )
        except ValueError as e:  # a size that no cache can have
            raise RequestError(str(e)) from None
        self.scheduler = Scheduler(
            self.pool, n_batch=n_batch, share_prefixes=share_prefixes, queue=queue
        )
        self._breakers: dict[tuple[str, ...], dict[int, list[list[int]]]] = {}
        self.memory = Memory(self.scheduler, self.model, self.context)

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

        Errors: ``RequestError`` for ids out of range or more of them than the context holds.
        """
        ids, at = self.checked(ids), 0
        out = np.empty((len(ids), self.model.hparams.V), np.float32)
        for _, rows in self.rows([ids]):
            out[at : at + len(rows)] = rows
            at += len(rows)
        return out

    def rows(
        self, texts: Ids[Ids[int]], *, first: int = 0, hidden: bool = False
    ) -> Iterator[tuple[int, np.ndarray]]:
        """The logits of many texts, pass by pass (see ``reading.read``): (which text, its next
        rows).

        Of each text come the rows of tokens ``first`` and later, each at most once in memory.
        ``hidden`` gives the rows that the head reads, (.., D), in place of logits, (.., V). They
        have blocks of their own, so generations under way and they take none from each other.
        Errors: those of ``logits``.
        """
        checked, pool = [self.checked(ids) for ids in texts], self._reading
        compute = functools.partial(self._forward, pool=pool, hidden=hidden)
        return read(checked, pool, compute, n_batch=self.scheduler.n_batch, first=first)

    @functools.cached_property
    def _reading(self) -> BlockPool:
        """Blocks for whole texts, as many as the cache has: their memory is taken when written."""
        p, h = self.pool, self.model.hparams
        return BlockPool(p.n_blocks, p.block_size, h.n_layers, h.G, h.E, p.format.name)

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
        token_eviction: str | None = None,
        n_cells: int | None = None,
        n_sinks: int = 4,
        drafter: Drafter | None = None,
        user: str = "",
        **sampling: Any,
    ) -> Sequence:
        """A checked request, not under way yet: text or token ids to continue by at most
        ``max_tokens`` tokens.

        ``grammar``, in the notation of ``gbnf.py`` (``json_schema.py`` writes it), is what the
        whole answer matches, or begins where ``max_tokens`` cuts it off; a Grammar may serve many
        sequences. ``penalize_prompt``: do the penalties look back at the prompt too? DRY's passages
        do not reach over ``dry_breakers``. ``token_eviction`` (``eviction.TOKEN_EVICTION``) lets a
        text be longer than the context: at ``n_cells`` stored tokens, the context unless given,
        some are forgotten; "sinks" keeps the first ``n_sinks``. ``drafter`` guesses tokens ahead
        (``speculation.py``), the text stays the same. ``user`` is whom a fair queue counts it for.
        ``sampling`` takes the options of ``sampling.Chain``. Errors: ``RequestError`` says which
        option is wrong.
        """
        if isinstance(prompt, (str, bytes)):
            prompt = self.tokenize(prompt, parse_special=parse_special)
        ids = self.checked(prompt, len(prompt) if token_eviction else None)
        if sampling.get("dry_multiplier") and "breakers" not in sampling:
            sampling["breakers"] = self.breakers(dry_breakers)
        if grammar is not None:
            sampling["grammar"] = self.matcher(grammar)
        chain = Chain(seed=seed, **sampling)
        if not isinstance(max_tokens, int) or max_tokens < 1:
            raise RequestError(f"max_tokens: got {max_tokens!r}, want a whole number from 1 on")
        budget = self.memory.budget(token_eviction, n_cells, n_sinks)
        if len(ids) >= self.context and budget is None:
            raise RequestError(
                f"a prompt of {len(ids)} tokens: the context of {self.context} leaves no room"
            )
        chain.recall(ids if penalize_prompt else ())
        found = Sequence(
            ids, chain, len(ids) + max_tokens, budget=budget, user=user, drafter=drafter
        )
        if budget is None and found.limit > self.context:
            found.limit, found.limit_reason = self.context, "context"
        return found

    def matcher(self, grammar: str | Grammar) -> Matcher:
        """A grammar at its start, in the tokens of this model."""
        grammar = Grammar(grammar) if isinstance(grammar, str) else grammar
        return Matcher(grammar, self._vocabulary)

    @functools.cached_property
    def _vocabulary(self) -> Vocabulary:
        t = self.tokenizer
        return Vocabulary(t.bytes_of, t.ends, t.ids)

    def breakers(self, texts: Ids[str]) -> dict[int, list[list[int]]]:
        """Where repeated passages end for DRY, as ``penalties.dry`` wants it; a control token has
        the text that it has in the vocabulary. Found once: a large vocabulary takes a second.
        """
        key = tuple(texts)
        if key not in self._breakers:
            t = self.tokenizer
            pieces = list(t.bytes_of)
            for i in t.special:
                pieces[i] = t.texts[i]
            found = breakers_of(pieces, t.segment, [text.encode() for text in key])
            if len(self._breakers) >= MOST_BREAKERS:
                self._breakers.clear()
            self._breakers[key] = found
        return self._breakers[key]

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

        A failed or interrupted pass changes nothing that the next one does not make good. Where
        what a sequence asks for can't be drawn (its grammar says so), it ends by its ``error`` and
        the others go on.
        """
        for sequence in self.scheduler.running:
            counted = sequence.cells.mass is not None  # by token: guesses would be counted too
            if sequence.drafter is not None and sequence.n_left == 1 and not counted:
                sequence.draft = sequence.drafter.propose(sequence.tokens)
        plan = self.scheduler.next()
        if plan is None:
            return []
        mass = None
        if any(sequence.cells.mass is not None for sequence, _ in plan.pieces):
            mass = np.zeros((len(plan.batch.tokens), plan.batch.lengths.max()), np.float32)
        logits = self._forward(plan.batch, mass=mass)
        ready = self.scheduler.advance(plan, mass)
        for row, sequence in ready:
            try:
                self._choose(logits[row : row + 1 + len(sequence.draft)], sequence)
            except RequestError as e:
                sequence.reason, sequence.error = "failed", e
            if sequence.reason:
                self.scheduler.remove(sequence)
        return [sequence for _, sequence in ready]

    def _choose(self, logits: np.ndarray, sequence: Sequence) -> None:
        """The next token of a sequence, and as many more as its draft guessed right.

        Row i of logits is what follows the i-th token of the draft, and holds if all before it are
        what was drawn: so the text is what it would be without a draft (Leviathan et al. 2023,
        "Fast Inference from Transformers via Speculative Decoding", for a draft that is certain).
        """
        n_right = 0
        for i, row in enumerate(logits):
            token = sequence.chain.sample(row)
            sequence.append(token, self.tokenizer.ends)
            if sequence.reason or i == len(sequence.draft) or token != sequence.draft[i]:
                break
            n_right += 1
        self.scheduler.accept(sequence, n_right)

    def save(self, sequence: Sequence, path: str | os.PathLike) -> int:
        """Write a sequence to a file, with its part of the cache -> bytes; see ``state.py``."""
        return state.save(self.memory, sequence, path)

    def load(self, path: str | os.PathLike) -> Sequence:
        """The sequence of such a file, to go on as it would have; ``resume`` runs it."""
        return state.load(self.memory, path, self.matcher)

    def resume(self, sequence: Sequence) -> Generation:
        """Go on with a sequence that was loaded, forked or rewound, as ``generate`` does."""
        return Generation(self, sequence)

    def perplexity(
        self,
        text: str | bytes,
        *,
        method: str = "stride",
        window: int | None = None,
        stride: int | None = None,
        progress: Progress | None = None,
    ) -> Perplexity:
        """How well the model predicts a text: ``-sum_i ln softmax(logits)_i`` over its tokens.

        ``method`` "stride" scores each token once, in windows that overlap
        (``perplexity.by_stride``); "llama.cpp" the second half of each chunk (``by_chunks``).
        ``progress`` is called with tokens scored, tokens in all and the perplexity so far. Errors:
        ``RequestError`` for a text too short, a method, window or stride out of range.
        """
        return measure(self, text, method=method, window=window, stride=stride, progress=progress)

    def embed(
        self, texts: Ids[str | bytes], *, pooling: str = "mean", normalize: bool = True
    ) -> np.ndarray | list[np.ndarray]:
        """A vector for each text: float32 (n, D); see ``embeddings.embed``."""
        return embed(self, texts, pooling=pooling, normalize=normalize)

    def _forward(
        self, batch: Batch, *, pool: BlockPool | None = None, **options: Any
    ) -> np.ndarray:
        how = {"mode": self.mode, "n_threads": self.n_threads}
        return forward(self.model, batch, pool or self.pool, **how, **options)

    def checked(self, ids: Ids[int], most: int | None = None) -> list[int]:
        """``ids`` as plain integers that the vocabulary has and the context, or ``most``, holds."""
        array = np.asarray(ids)
        if array.size and (array.ndim != 1 or array.dtype.kind not in "iu"):
            raise RequestError(
                f"token ids: got {array.dtype} of shape {array.shape}, want integers"
            )
        V = self.model.hparams.V
        bad = [i for i in array.tolist() if not 0 <= i < V]
        if bad:
            raise RequestError(f"token id {bad[0]}: the vocabulary has ids 0 to {V - 1}")
        if array.size > (self.context if most is None else most):
            raise RequestError(f"{array.size} tokens: the context holds {self.context}")
        return array.tolist()
