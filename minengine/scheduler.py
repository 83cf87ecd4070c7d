"""Which sequences run next and on which tokens: continuous batching, chunked prompts, preemption.

Owns: the waiting and the running, in which order they are admitted (``QUEUES``), when a sequence
gets blocks and when it loses them. Must not know: weights, logits, text. Read before:
``kvcache.py``, ``cells.py``, ``sequence.py``, ``batch.py``.

Every pass of the network takes one batch. Sequences that decode put in one token each and their
draft, those still in their prompt put in a chunk of it, until ``n_batch`` tokens are together: so a
long prompt never holds up the others for more than one batch (Agrawal et al. 2023, "Sarathi"), and
sequences come and go between any two passes (Yu et al. 2022, "Orca").
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from minengine.batch import Batch, Piece
from minengine.cells import Cells
from minengine.errors import OutOfBlocks, RequestError
from minengine.kvcache import BlockPool
from minengine.sequence import Sequence


@dataclass(frozen=True)
class Plan:
    """One pass: the batch, and of each sequence in it how many of its tokens go in; its draft
    comes behind them.
    """

    batch: Batch
    pieces: tuple[tuple[Sequence, int], ...]


class Scheduler:
    """Sequences waiting for their first pass and sequences running, over one pool of blocks.

    A sequence is admitted when the pool has room for all its tokens; ``queue`` says who is next:
    "fcfs" whoever came first, "fair" the user who was served the fewest tokens. When a running one
    needs a block and none is free, the sequence that came last gives up its blocks, waits at the
    head of the queue and is computed again later: the tokens it has stay, and so does its text
    (preemption by recomputation, Kwon et al. 2023, section 4.5).
    """

    def __init__(
        self,
        pool: BlockPool,
        *,
        n_batch: int = 256,
        n_running: int = 16,
        share_prefixes: bool = True,
        queue: str = "fcfs",
    ) -> None:
        for name, n in {"n_batch": n_batch, "n_running": n_running}.items():
            if n < 1:
                raise ValueError(f"Scheduler: {name} {n}, want at least 1")
        if queue not in QUEUES:
            raise ValueError(f"Scheduler: queue {queue!r}, want {' or '.join(QUEUES)}")
        self.pool, self.n_batch, self.n_running = pool, n_batch, n_running
        self.share_prefixes, self.queue = share_prefixes, queue
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []  # in order of arrival
        self.served: dict[str, int] = {}  # tokens computed for each user

    def add(self, sequence: Sequence) -> None:
        """Put a sequence at the end of the queue. RequestError where even the empty pool is too
        small for it.
        """
        B, n = self.pool.block_size, self.pool.n_blocks
        if self.pool.blocks_for(sequence.n_cells_for(len(sequence.tokens))) > n:
            raise RequestError(
                f"a prompt of {len(sequence.tokens)} tokens: the cache has {n} blocks of {B} tokens"
            )
        active = {s.user for s in (*self.running, *self.waiting)}
        if sequence.user not in active:  # time away gives no claim to be served first for long
            if not active:  # nobody is before anybody: users of the past need not be kept
                self.served.clear()
            floor = min((self.served[u] for u in active), default=0)
            self.served[sequence.user] = max(self.served.get(sequence.user, 0), floor)
        self.waiting.append(sequence)

    def remove(self, sequence: Sequence) -> None:
        """Forget a sequence, finished or not, and free its blocks unless it keeps them; one that is
        not here is left alone.
        """
        if sequence in self.running:
            self.running.remove(sequence)
        elif sequence in self.waiting:
            self.waiting.remove(sequence)
        if not sequence.keeps_cells:
            self._release(sequence)
        sequence.reason = sequence.reason or "closed"

    def next(self) -> Plan | None:
        """The next batch; None where nobody waits or runs.

        Errors: ``OutOfBlocks`` where no sequence can have what it needs, even alone; nobody has
        lost anything then.
        """
        if not self.running and not self.waiting:
            return None
        left, pieces = self.n_batch, []
        # In order of arrival, so those that decode come first: none is admitted beside a prompt
        # that fills the batch. A copy, for those that give up their blocks leave the list.
        for sequence in list(self.running):
            if left and sequence in self.running:
                left -= self._put(sequence, left, pieces)
        while left and self._admit():
            left -= self._put(self.running[-1], left, pieces)
        if not pieces:
            wanted = (self.running or self.waiting)[0]
            raise OutOfBlocks(
                f"{len(wanted.tokens)} tokens wait for blocks: {self.pool.n_free} of"
                f" {self.pool.n_blocks} are free and nobody here can give one up"
            )
        return Plan(Batch.of([piece(s, n) for s, n in pieces], self.pool.block_size), tuple(pieces))

    def advance(self, plan: Plan, mass: np.ndarray | None = None) -> list[tuple[int, Sequence]]:
        """Note that a batch was computed -> (row of its logits, sequence) of those that now need a
        token; the rows of a sequence's draft follow its own.

        ``mass`` (T, keys) is what the tokens looked at, for those that want to know. A batch that
        was not computed (an error, an interrupt) is not noted and simply comes again.
        """
        ready, row, at = [], 0, 0
        for sequence, n in plan.pieces:
            self._note(sequence, n, None if sequence.cells.mass is None else mass[at : at + n])
            at += n + len(sequence.draft)
            if sequence.n_left == 0:
                ready.append((row, sequence))
                row += 1 + len(sequence.draft)
        return ready

    def accept(self, sequence: Sequence, n_right: int) -> None:
        """The first ``n_right`` tokens of the draft turned out to be the sequence's next ones."""
        sequence.n_drafted += len(sequence.draft)
        sequence.n_accepted += n_right
        sequence.draft = []
        if n_right:
            self._note(sequence, n_right, None)

    def _note(self, sequence: Sequence, n: int, mass: np.ndarray | None) -> None:
        sequence.saw(n, mass)
        self.served[sequence.user] += n
        B, n_cached = self.pool.block_size, sequence.n_cached
        if self.share_prefixes and sequence.cells.whole and n_cached // B > (n_cached - n) // B:
            self.pool.publish(sequence.table, sequence.tokens[:n_cached])

    def _put(self, sequence: Sequence, left: int, pieces: list) -> int:
        """Put a running sequence's next tokens into the batch -> how many it takes of ``left``."""
        n = min(sequence.most_now(sequence.n_left), left)
        if not n or not self._grow(sequence, n, pieces):
            return 0
        pieces.append((sequence, n))
        cells, pool = sequence.cells, self.pool
        if sequence.draft:
            more = min(left - n, sequence.limit - len(sequence.tokens) - 1)
            if sequence.budget is not None:
                more = min(more, sequence.budget.n_cells - cells.n - n)
            sequence.draft = sequence.draft[: max(0, more) if n == sequence.n_left else 0]
            while pool.wanted(cells.table, cells.n, n + len(sequence.draft)) > pool.n_free:
                sequence.draft.pop()  # a guess is not worth anybody's blocks
            cells.room(n + len(sequence.draft))
        return n + len(sequence.draft)

    def _admit(self) -> bool:
        """Move the next of the queue to the running, if the pool has room for all its tokens.

        It begins with the cells it has, or the blocks of its longest prefix that the cache has.
        """
        if not self.waiting or len(self.running) >= self.n_running:
            return False
        which = QUEUES[self.queue](self.waiting, self.served)
        first, pool = self.waiting[which], self.pool
        policy = first.budget and first.budget.policy
        share = self.share_prefixes and not first.table and not (policy and policy.needs_mass)
        # what comes after a first forgetting is nobody else's prefix
        tokens = first.tokens[: first.n_cells_for(len(first.tokens)) + 1]
        stored = first.cells.n if first.cells else 0
        need = pool.blocks_for(first.n_cells_for(stored + first.n_left)) - len(first.table)
        # where nobody runs nobody will free a block but those that wait with some
        holders = [] if self.running else [s for s in self.waiting if s is not first]
        if not self._make_room(lambda: pool.cost(tokens) if share else need, holders):
            return False
        if first.cells is None:
            first.cells = Cells(pool)
            first.cells.mass = np.zeros(0) if policy and policy.needs_mass else None
        if share:
            first.cells.table = pool.lookup(tokens)
            first.cells.n = first.n_cached = first.n_found = len(first.table) * pool.block_size
        del self.waiting[which]
        self.running.append(first)
        return True

    def _grow(self, sequence: Sequence, n: int, pieces: list) -> bool:
        """Make room for n more tokens of a running one, preempting those that came after it."""
        pool, cells, budget = self.pool, sequence.cells, sequence.budget
        taken = {id(s) for s, _ in pieces}
        later = self.running[self.running.index(sequence) + 1 :]
        victims = [s for s in (*later, *self.waiting) if id(s) not in taken]
        if budget is not None and cells.n + n > budget.n_cells:
            holders = [s for s in victims if s.table and not s.pinned]
            while True:
                try:
                    budget.make_room(cells)
                    break
                except OutOfBlocks:
                    if not holders:
                        return False
                    self._preempt(holders.pop())
        if not self._make_room(lambda: pool.wanted(cells.table, cells.n, n), victims):
            return False
        cells.room(n)
        return True

    def _make_room(self, wanted: Callable[[], int], victims: list[Sequence]) -> bool:
        """See that as many blocks are free as are wanted, preempting victims from the last on.

        Nobody is preempted in vain: first it is counted whether all of them together would do.
        """
        pool, victims = self.pool, [s for s in victims if s.table and not s.pinned]
        theirs = Counter(b for s in victims for b in s.table)
        if wanted() > pool.n_free + sum(pool.references(b) == k for b, k in theirs.items()):
            return False
        while wanted() > pool.n_free:
            if not victims:  # what they shared with whoever asks does not come free twice
                return False
            self._preempt(victims.pop())
        return True

    def _preempt(self, sequence: Sequence) -> None:
        self._release(sequence)
        sequence.n_preempted += 1
        if sequence in self.running:
            self.running.remove(sequence)
            self.waiting.appendleft(sequence)

    def _release(self, sequence: Sequence) -> None:
        if sequence.cells is not None:
            sequence.cells.free()
        sequence.cells, sequence.n_cached, sequence.draft = None, 0, []


def piece(sequence: Sequence, n: int) -> Piece:
    """The next n tokens of a sequence and its draft; logits where a token must be chosen."""
    first, cells = sequence.n_cached, sequence.cells
    ids = sequence.tokens[first : first + n] + sequence.draft
    n_rows = 1 + len(sequence.draft) if n == sequence.n_left else 0
    return Piece(ids, cells.n, cells.table, cells.positions if cells.holes else None, n_rows)


def first_come(waiting: deque[Sequence], served: dict[str, int]) -> int:
    """Whoever came first."""
    return 0


def least_served(waiting: deque[Sequence], served: dict[str, int]) -> int:
    """The first sequence of the user for whom the fewest tokens were computed.

    Sheng et al. 2024, "Fairness in Serving Large Language Models", algorithm 1 (virtual token
    counter), prompt and answer weighted alike.
    """
    return min(range(len(waiting)), key=lambda i: served[waiting[i].user])


QUEUES: dict[str, Callable[[deque[Sequence], dict[str, int]], int]] = {
    "fcfs": first_come,
    "fair": least_served,
}
