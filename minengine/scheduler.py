"""Which sequences run next and on which tokens: continuous batching, first come, first served.

Owns: sequences, the waiting and the running, when a sequence gets blocks and when it loses them.
Must not know: weights, logits, text. Read before: ``kvcache.py``, ``graph.py`` (Batch).

Every pass of the network takes one batch. Sequences that decode put in one token each, those still
in their prompt put in a chunk of it, until ``n_batch`` tokens are together: so a long prompt never
holds up the others for more than one batch (Agrawal et al. 2023, "Sarathi"), and sequences come and
go between any two passes (Yu et al. 2022, "Orca").
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from minengine.errors import OutOfBlocks, RequestError
from minengine.graph import Batch
from minengine.kvcache import BlockPool
from minengine.sampling import Chain


@dataclass(eq=False)
class Sequence:
    """The tokens of one request, prompt and answer, and where their keys and values lie.

    ``limit`` is the most tokens it may ever have. It is finished once ``reason`` says why: "end"
    (the model ended it), "length" (``limit`` is ``max_tokens`` after the prompt), "context" (the
    context is full) or "closed".
    """

    tokens: list[int]
    chain: Chain
    limit: int
    limit_reason: str = "length"
    n_prompt: int = 0
    n_cached: int = 0  # tokens whose keys and values are in the cache
    n_preempted: int = 0
    n_found: int = 0  # tokens whose keys and values were in the cache when it was admitted
    table: list[int] = field(default_factory=list)  # its blocks, in order
    reason: str = ""

    def __post_init__(self) -> None:
        self.n_prompt = len(self.tokens)
        if not self.tokens:
            raise RequestError("a sequence of no tokens: there is nothing to continue")

    @property
    def n_left(self) -> int:
        """Tokens the network has not seen: the rest of the prompt, or 1 in decoding."""
        return len(self.tokens) - self.n_cached

    def append(self, token: int, ends: set[int] | frozenset[int] = frozenset()) -> None:
        """Take a sampled token; one of ``ends`` finishes the sequence and is no part of it."""
        if token in ends:
            self.reason = "end"
            return
        self.tokens.append(token)
        if len(self.tokens) >= self.limit:
            self.reason = self.limit_reason


@dataclass(frozen=True)
class Plan:
    """One pass: the batch, and for each row of its logits the sequence and how many of its tokens
    go in.
    """

    batch: Batch
    pieces: tuple[tuple[Sequence, int], ...]


class Scheduler:
    """Sequences waiting for their first pass and sequences running, over one pool of blocks.

    A sequence is admitted when the pool has room for all its tokens. When a running one needs a
    block and none is free, the sequence that came last gives up its blocks, waits at the head of
    the queue and is computed again later: the tokens it has stay, and so does its text (preemption
    by recomputation, Kwon et al. 2023, section 4.5).
    """

    def __init__(
        self,
        pool: BlockPool,
        *,
        n_batch: int = 256,
        n_running: int = 16,
        share_prefixes: bool = True,
    ) -> None:
        for name, n in {"n_batch": n_batch, "n_running": n_running}.items():
            if n < 1:
                raise ValueError(f"Scheduler: {name} {n}, want at least 1")
        self.pool, self.n_batch, self.n_running = pool, n_batch, n_running
        self.share_prefixes = share_prefixes
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []  # in order of arrival

    def add(self, sequence: Sequence) -> None:
        """Put a sequence at the end of the queue. RequestError where even the empty pool is too
        small for it.
        """
        B, n = self.pool.block_size, self.pool.n_blocks
        if self.pool.blocks_for(len(sequence.tokens)) > n:
            raise RequestError(
                f"a prompt of {len(sequence.tokens)} tokens: the cache has {n} blocks of {B} tokens"
            )
        self.waiting.append(sequence)

    def remove(self, sequence: Sequence) -> None:
        """Forget a sequence, finished or not, and free its blocks; one that is not here is left
        alone.
        """
        if sequence in self.running:
            self.running.remove(sequence)
        elif sequence in self.waiting:
            self.waiting.remove(sequence)
        self._release(sequence)
        sequence.reason = sequence.reason or "closed"

    def next(self) -> Plan | None:
        """The next batch; None where nobody waits or runs.

        Errors: ``OutOfBlocks`` where no sequence can have what it needs, even alone; nothing has
        changed then.
        """
        if not self.running and not self.waiting:
            return None
        budget, pieces = self.n_batch, []
        # In order of arrival, so those that decode come first: none is admitted beside a prompt
        # that fills the batch. A copy, for those that give up their blocks leave the list.
        for sequence in list(self.running):
            n = min(sequence.n_left, budget)
            if n and sequence in self.running and self._grow(sequence, n, pieces):
                pieces.append((sequence, n))
                budget -= n
        while budget and self._admit():
            came = self.running[-1]
            n = min(came.n_left, budget)
            self.pool.writable(came.table, came.n_cached, n)
            pieces.append((came, n))
            budget -= n
        if not pieces:
            wanted = (self.running or self.waiting)[0]
            raise OutOfBlocks(
                f"{len(wanted.tokens)} tokens wait for blocks: {self.pool.n_free} of"
                f" {self.pool.n_blocks} are free and nobody here can give one up"
            )
        parts = [(s.tokens[s.n_cached : s.n_cached + n], s.n_cached, s.table) for s, n in pieces]
        return Plan(Batch.of(parts, self.pool.block_size), tuple(pieces))

    def advance(self, plan: Plan) -> list[tuple[int, Sequence]]:
        """Note that a batch was computed -> (row of its logits, sequence) of those that now need a
        token.

        A batch that was not computed (an error, an interrupt) is not noted and simply comes again.
        """
        ready = []
        for row, (sequence, n) in enumerate(plan.pieces):
            sequence.n_cached += n
            B = self.pool.block_size
            if self.share_prefixes and sequence.n_cached // B > (sequence.n_cached - n) // B:
                self.pool.publish(sequence.table, sequence.tokens[: sequence.n_cached])
            if sequence.n_left == 0:
                ready.append((row, sequence))
        return ready

    def _admit(self) -> bool:
        """Move the first of the queue to the running, if the pool has room for all its tokens.

        It begins with the blocks of its longest prefix that the cache still has.
        """
        if not self.waiting or len(self.running) >= self.n_running:
            return False
        first, pool = self.waiting[0], self.pool
        share = self.share_prefixes
        wanted = pool.cost(first.tokens) if share else pool.blocks_for(len(first.tokens))
        if wanted > pool.n_free:
            return False
        if share:
            first.table = pool.lookup(first.tokens)
            first.n_cached = first.n_found = len(first.table) * pool.block_size
        self.running.append(self.waiting.popleft())
        return True

    def _grow(self, sequence: Sequence, n: int, pieces: list) -> bool:
        """Make room for n more tokens of a running sequence, preempting those that came after it.

        Nobody is preempted in vain: first it is counted whether all of them together would do.
        """
        pool, taken = self.pool, {id(s) for s, _ in pieces}
        later = self.running[self.running.index(sequence) + 1 :]
        victims = [s for s in later if id(s) not in taken and s.table]
        wanted = pool.blocks_for(sequence.n_cached + n) - len(sequence.table)
        theirs = sum(pool.references(b) == 1 for s in victims for b in s.table)
        if wanted > pool.n_free + theirs:
            return False
        while wanted > pool.n_free:
            self._preempt(victims.pop())
        pool.writable(sequence.table, sequence.n_cached, n)
        return True

    def _preempt(self, sequence: Sequence) -> None:
        self.running.remove(sequence)
        self._release(sequence)
        sequence.n_preempted += 1
        self.waiting.appendleft(sequence)

    def _release(self, sequence: Sequence) -> None:
        self.pool.free(sequence.table)
        sequence.table, sequence.n_cached = [], 0
