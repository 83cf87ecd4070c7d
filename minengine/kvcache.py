"""The paged key/value cache: a pool of blocks with reference counts, shared by block tables.

Owns: the memory of the cache, who holds which block, copy-on-write. Must not know: tokens, texts,
scheduling. Read before: `attention.pyx` (the layout). Source: Kwon et al. 2023, "PagedAttention",
sections 4.2 to 4.4.

A *block* holds B tokens of every layer. A sequence's *table* lists its blocks in order; token j
lies in block ``table[j // B]`` at offset ``j % B``, its *slot* is ``block * B + offset``. Several
sequences may hold one block (a shared prefix): it counts its holders and is free again when the
last one lets go. A block with more than one holder is never written: ``writable`` first gives the
writer a copy of its own.

A full block may be *published*: under its tokens and the published block before it, so that the
whole prefix is what it is found by (vLLM calls this automatic prefix caching). ``lookup`` finds the
longest published prefix of a text. A published block that nobody holds stays findable until its
memory is wanted; then the ``eviction`` policy says which goes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from minengine.errors import OutOfBlocks
from minengine.eviction import EVICTION
from minengine.formats import FORMATS


@dataclass
class Counters:
    """What the pool did since it was made, in blocks; the last three in tokens."""

    allocated: int = 0
    freed: int = 0
    shared: int = 0  # references added by fork
    copied: int = 0  # copies on write
    refused: int = 0  # calls that found too few free blocks
    peak: int = 0  # the most that were in use at once
    found: int = 0  # blocks of a prefix that were there
    missed: int = 0  # blocks of a prefix that were looked for and not there
    evicted: int = 0  # findable blocks that were given up
    dropped: int = 0  # tokens that a sequence forgot
    moved: int = 0  # tokens whose keys and values were written to another place
    turned: int = 0  # tokens whose keys were turned to another position

    @property
    def hit_rate(self) -> float:
        """Of the blocks of prefixes that were looked for, the share that was there; 0 of none."""
        looked_for = self.found + self.missed
        return self.found / looked_for if looked_for else 0.0


@dataclass(frozen=True)
class Usage:
    """What a pool holds at one moment, in blocks and bytes.

    used + cached + free is all of them. ``shared`` are those of ``used`` that several tables hold,
    ``references`` the entries of all tables: what they would take if nothing were shared.
    """

    used: int  # somebody holds them
    cached: int  # nobody does, but ``lookup`` finds them
    free: int
    shared: int
    references: int
    bytes_used: int
    bytes_cached: int

    @property
    def bytes_saved(self) -> int:
        """What sharing saves: the blocks that tables beyond the first would take."""
        return (self.references - self.used) * self.bytes_used // self.used if self.used else 0


@dataclass
class _Published:
    """What a block is found by, its number in the order of publication, how often it was found."""

    key: tuple[int, tuple[int, ...]]
    number: int
    n_found: int = 0


class BlockPool:
    """A fixed number of blocks of B tokens, for L layers of G heads of E elements in a format.

    ``keys[layer]`` and ``values[layer]`` are uint8 (n_blocks, G, B, row_bytes). Methods either do
    all they were asked or raise and change nothing. ValueError for a size no cache can have.
    """

    def __init__(
        self,
        n_blocks: int,
        block_size: int,
        n_layers: int,
        G: int,
        E: int,
        format_name: str = "F32",
        *,
        eviction: str = "lru",
    ) -> None:
        for name, n in {"n_blocks": n_blocks, "n_layers": n_layers, "G": G, "E": E}.items():
            if n < 1:
                raise ValueError(f"BlockPool: {name} {n}, want at least 1")
        if not 1 <= block_size <= 256:
            raise ValueError(f"BlockPool: blocks of {block_size} tokens, want 1 .. 256")
        if n_blocks * block_size >= 2**31:  # slots are int32
            raise ValueError(
                f"BlockPool: {n_blocks} blocks of {block_size}, want less than 2^31 slots"
            )
        self.n_blocks, self.block_size, self.format = n_blocks, block_size, FORMATS[format_name]
        if eviction not in EVICTION:
            raise ValueError(f"BlockPool: eviction {eviction!r}, want {', '.join(EVICTION)}")
        row_bytes = self.format.row_bytes(E)
        # the system gives zero pages when first written: an unused block costs no memory
        shape = (n_layers, n_blocks, G, block_size, row_bytes)
        self.keys = np.zeros(shape, np.uint8)
        self.values = np.zeros(shape, np.uint8)
        self.counters = Counters()
        self._references = [0] * n_blocks
        self._free = list(
            range(n_blocks - 1, -1, -1)
        )  # a stack: the block freed last is still warm
        self._cached = EVICTION[eviction]()  # published blocks that nobody holds
        # (number of the published block before, tokens) -> block; and back
        self._prefixes: dict[tuple[int, tuple[int, ...]], int] = {}
        self._published: dict[int, _Published] = {}
        self._n_published = 0

    @staticmethod
    def bytes_for(
        n_tokens: int, block_size: int, n_layers: int, G: int, E: int, format_name: str = "F32"
    ) -> int:
        """Bytes of a pool for so many tokens: ``2 L G ceil(n / B) B`` rows of E elements."""
        rows = 2 * n_layers * G * -(-n_tokens // block_size) * block_size
        return rows * FORMATS[format_name].row_bytes(E)

    @property
    def n_free(self) -> int:
        """Blocks nobody holds: they can be allocated now."""
        return len(self._free) + len(self._cached)

    @property
    def n_used(self) -> int:
        """Blocks somebody holds."""
        return self.n_blocks - self.n_free

    @property
    def n_cached(self) -> int:
        """Blocks nobody holds that ``lookup`` may still find."""
        return len(self._cached)

    @property
    def n_bytes(self) -> int:
        """Bytes of the whole cache."""
        return self.keys.nbytes + self.values.nbytes

    @property
    def block_bytes(self) -> int:
        """Bytes of one block: keys and values of B tokens in all layers."""
        return self.n_bytes // self.n_blocks

    def usage(self) -> Usage:
        """What is held now; O(n_blocks)."""
        held = [n for n in self._references if n]
        return Usage(
            used=len(held),
            cached=self.n_cached,
            free=self.n_blocks - len(held) - self.n_cached,
            shared=sum(n > 1 for n in held),
            references=sum(held),
            bytes_used=len(held) * self.block_bytes,
            bytes_cached=self.n_cached * self.block_bytes,
        )

    def blocks_for(self, n_tokens: int) -> int:
        """Blocks that hold n tokens: ceil(n / B)."""
        return -(-n_tokens // self.block_size)

    def references(self, block: int) -> int:
        """How many tables hold the block; 0 is free."""
        return self._references[self._known(block)]

    def allocate(self, n: int = 1) -> list[int]:
        """n free blocks, each now held once. OutOfBlocks where fewer are free."""
        if n < 0:
            raise ValueError(f"allocate: {n} blocks")
        if n > self.n_free:
            self.counters.refused += 1
            raise OutOfBlocks(f"{n} blocks wanted, {self.n_free} of {self.n_blocks} are free")
        while len(self._free) < n:
            block = self._cached.pop()
            self._withdraw(block)
            self._free.append(block)
            self.counters.evicted += 1
        blocks = [self._free.pop() for _ in range(n)]
        for block in blocks:
            self._references[block] = 1
        self.counters.allocated += n
        self.counters.peak = max(self.counters.peak, self.n_used)
        return blocks

    def free(self, blocks: Iterable[int]) -> None:
        """Let go of each block once; one that nobody holds any more is free.

        ValueError where a block is held fewer times than it is freed; nothing is freed then.
        """
        blocks = list(blocks)
        self._need_held(blocks, "free")
        for block in reversed(
            blocks
        ):  # so that a table allocated next gets them in their old order
            self._references[block] -= 1
            if self._references[block] == 0:
                self.counters.freed += 1
                if block in self._published:
                    known = self._published[block]
                    self._cached.add(block, known.number, known.n_found)
                else:
                    self._free.append(block)

    def fork(self, table: Sequence[int]) -> list[int]:
        """A second table over the same blocks, each held once more; ValueError if one is free."""
        for block in table:
            if self.references(block) == 0:
                raise ValueError(f"fork: block {block} is free")
        for block in table:
            self._references[block] += 1
        self.counters.shared += len(table)
        return list(table)

    def publish(self, table: Sequence[int], tokens: Sequence[int]) -> None:
        """Make the full blocks of a table findable by the tokens whose keys and values they hold.

        A prefix that is findable already stays where it is. ValueError where a block is free.
        """
        B, before = self.block_size, 0
        for i in range(min(len(table), len(tokens) // B)):
            key = (before, tuple(tokens[i * B : (i + 1) * B]))
            block = self._prefixes.get(key)
            if block is None:
                if self.references(table[i]) == 0:
                    raise ValueError(f"publish: block {table[i]} is free")
                block = table[i]
                if block in self._published:  # under another prefix: it was written over
                    self._withdraw(block)
                self._n_published += 1
                self._prefixes[key] = block
                self._published[block] = _Published(key, self._n_published)
            before = self._published[block].number

    def lookup(self, tokens: Sequence[int]) -> list[int]:
        """The blocks of the longest findable prefix, each now held once more.

        Whole blocks, and never all of the tokens: the last one is left to be computed, for its
        logits.
        """
        table = self._match(tokens)
        for block in table:
            self._cached.discard(block)
            self._references[block] += 1
            self._published[block].n_found += 1
        self.counters.found += len(table)
        self.counters.missed += max(len(tokens) - 1, 0) // self.block_size - len(table)
        self.counters.peak = max(self.counters.peak, self.n_used)
        return table

    def cost(self, tokens: Sequence[int]) -> int:
        """How many of the ``n_free`` blocks a text takes: all but those that others hold."""
        held = sum(self._references[b] > 0 for b in self._match(tokens))
        return self.blocks_for(len(tokens)) - held

    def _match(self, tokens: Sequence[int]) -> list[int]:
        B, before, table = self.block_size, 0, []
        for i in range(max(len(tokens) - 1, 0) // B):
            block = self._prefixes.get((before, tuple(tokens[i * B : (i + 1) * B])))
            if block is None:
                break
            table.append(block)
            before = self._published[block].number
        return table

    def _withdraw(self, block: int) -> None:
        """The block is not findable any more, nor what comes after it."""
        del self._prefixes[self._published.pop(block).key]

    def wanted(self, table: Sequence[int], first: int, n_tokens: int) -> int:
        """How many free blocks ``writable`` would take."""
        new = max(0, self.blocks_for(first + n_tokens) - len(table)) if n_tokens else 0
        return new + len(self._shared(table, first, n_tokens))

    def _shared(self, table: Sequence[int], first: int, n_tokens: int) -> list[int]:
        """Which entries of a table, with tokens first .. first + n_tokens - 1, others hold too."""
        last = min(self.blocks_for(first + n_tokens), len(table)) if n_tokens else 0
        return [i for i in range(first // self.block_size, last) if self.references(table[i]) > 1]

    def writable(self, table: list[int], first: int, n_tokens: int) -> list[int]:
        """Make tokens first .. first + n_tokens - 1 of a table writable, in place; -> their slots.

        Blocks the table lacks are allocated, shared ones that will be written are replaced by
        copies. OutOfBlocks where the pool has too few for both; table and pool are unchanged then.
        """
        B = self.block_size
        if first < 0 or n_tokens < 0 or first > len(table) * B:
            raise ValueError(
                f"writable: tokens {first} .. {first + n_tokens} of {len(table)} blocks"
            )
        shared = self._shared(table, first, n_tokens)
        new = self.allocate(self.wanted(table, first, n_tokens))
        if n_tokens:
            for i in range(first // B, min(self.blocks_for(first + n_tokens), len(table))):
                if i not in shared:
                    self.claim(table[i])  # what it is found by will not be what it holds
            for i in shared:
                copy = new.pop(0)
                self.keys[:, copy] = self.keys[:, table[i]]
                self.values[:, copy] = self.values[:, table[i]]
                self._references[table[i]] -= 1
                self.counters.copied += 1
                table[i] = copy
            table += new
        return [table[j // B] * B + j % B for j in range(first, first + n_tokens)]

    def claim(self, block: int) -> None:
        """The block, held once, is about to be written over: it can't be found any more."""
        if block in self._published:
            self._withdraw(block)

    def rows(self, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Copies of the keys and values in n slots: each uint8 (n, L, G, row_bytes)."""
        blocks, offsets = np.divmod(slots, self.block_size)
        return self.keys[:, blocks, :, offsets], self.values[:, blocks, :, offsets]

    def put(self, slots: np.ndarray, keys: np.ndarray, values: np.ndarray) -> None:
        """Write rows as ``rows`` gives them into n slots."""
        blocks, offsets = np.divmod(slots, self.block_size)
        self.keys[:, blocks, :, offsets] = keys
        self.values[:, blocks, :, offsets] = values
        self.counters.moved += len(slots)

    def _known(self, block: int) -> int:
        if not 0 <= block < self.n_blocks:
            raise ValueError(f"block {block}, want 0 .. {self.n_blocks - 1}")
        return block

    def _need_held(self, blocks: list[int], what: str) -> None:
        for block in set(blocks):
            if self.references(block) < blocks.count(block):
                raise ValueError(
                    f"{what}: block {block} is held {self.references(block)} times, "
                    f"let go {blocks.count(block)} times"
                )
