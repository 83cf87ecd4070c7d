"""Answers about the key/value cache: blocks, tables, sharing, copies, eviction, passes.

Owns: what bank 2.3 asks. Must not know: YAML, students. Read before: ``minengine/kvcache.py``,
``eviction.py``, ``cells.py``, ``scheduler.py``. Small pools of the engine are run for each answer:
a block of one layer, one head and one element does what any block does.
"""

from __future__ import annotations

import functools

import numpy as np

from minengine import oracle
from minengine.cells import Cells
from minengine.errors import OutOfBlocks
from minengine.eviction import EVICTION, TOKEN_EVICTION
from minengine.formats import FORMATS
from minengine.kvcache import BlockPool
from minengine.sampling import Chain
from minengine.scheduler import Scheduler
from minengine.sequence import Sequence
from quizzes.errors import Unclear

from .transformer import kv_bytes, tensor_shape


def pool(n_blocks: int, B: int) -> BlockPool:
    """A pool whose blocks cost nothing."""
    return BlockPool(n_blocks, B, 1, 1, 1)


def blocks_for(n: int, B: int) -> int:
    """Blocks of B tokens that hold n tokens."""
    return pool(1, B).blocks_for(n)


def blocks_by_floor(mistake: str, n: int, B: int) -> int:
    """The same with floor + 1, or rounded down."""
    return {"floor + 1": n // B + 1, "floor": n // B}[mistake]


def unused_slots(n1: int, n2: int, n3: int, B: int) -> int:
    """Slots of three sequences' blocks that hold no token."""
    return sum(blocks_for(n, B) * B - n for n in (n1, n2, n3))


def unused_slots_mistake(mistake: str, n1: int, n2: int, n3: int, B: int) -> int:
    """The same as if the three were one text, or with a block more than full ones need."""
    return {
        "joined": -(n1 + n2 + n3) % B,
        "floor + 1": sum((n // B + 1) * B - n for n in (n1, n2, n3)),
        "filled": sum(n % B for n in (n1, n2, n3)),
    }[mistake]


def slot_of(j: int, B: int, t0: int, t1: int, t2: int) -> int:
    """The slot of token j of a sequence with the block table [t0, t1, t2]."""
    return int(Cells(pool(64, B), (t0, t1, t2), 3 * B).slots()[j])


def slot_of_mistake(mistake: str, j: int, B: int, t0: int, t1: int, t2: int) -> int:
    """The same with block and offset confused, off by one, or without the table."""
    table = (t0, t1, t2)
    return {
        "sum": table[j // B] + j % B,
        "from-one": table[(j - 1) // B] * B + (j - 1) % B,
        "contiguous": table[0] * B + j,
        "swapped": table[j % 3] * B + j // B,
    }[mistake]


def sequences_that_fit(n_blocks: int, B: int, n: int) -> int:
    """How many sequences of n tokens a pool has blocks for: allocated until it refuses."""
    p, found = pool(n_blocks, B), 0
    while True:
        try:
            p.allocate(p.blocks_for(n))
        except OutOfBlocks:
            return found
        found += 1


# Sharing


def prefix_blocks(n_first: int, n_second: int, n_common: int, B: int) -> int:
    """Blocks that a second prompt finds of a first one with which it shares its beginning."""
    p = pool(64, B)
    first = [*range(n_common), *range(1000, 1000 + n_first - n_common)]
    second = [*range(n_common), *range(2000, 2000 + n_second - n_common)]
    p.publish(p.allocate(p.blocks_for(n_first)), first)
    return len(p.lookup(second))


@functools.cache
def same_under_another_prefix(kind: str, layer: int) -> bool:
    """Are the cached rows of tokens 4 .. 7 the same when only the tokens before them differ?

    Two texts through three random layers of the oracle.
    """
    rng = np.random.default_rng(17)
    sizes = {"D": 8, "H": 2, "G": 1, "E": 4, "F": 12}
    names = ("attn_norm", "attn_q", "attn_k", "attn_v", "attn_output")
    names += ("ffn_norm", "ffn_gate", "ffn_up", "ffn_down")
    stack = [{t: rng.normal(size=tensor_shape(t, **sizes)) for t in names} for _ in range(3)]
    table, found = rng.normal(size=(16, 8)), []
    for ids in ([1, 2, 3, 4, 9, 8, 7, 6], [5, 5, 2, 1, 9, 8, 7, 6]):
        x = oracle.embed(table, np.array(ids))
        for w in stack[: layer + 1]:
            x, kept = oracle.layer(x, w, np.arange(8), n_heads=2, n_kv_heads=1)
        found.append(kept[("keys", "values").index(kind)][4:])
    return bool(np.allclose(*found))


def copies_on_write(n: int, B: int, forks: int, writers: int) -> int:
    """Blocks copied when a sequence of n tokens is forked and ``writers`` of all write a token."""
    return forked(n, B, forks, writers, 1)[0]


def blocks_after_forks(n: int, B: int, forks: int, more: int) -> int:
    """Blocks in use when a sequence is forked and every fork, not the first, writes more tokens."""
    return forked(n, B, forks, forks, more)[1]


def forked(n: int, B: int, forks: int, writers: int, more: int) -> tuple[int, int]:
    """(blocks copied, blocks in use) of a pool after forks of n tokens wrote ``more`` each."""
    p = pool(256, B)
    first = Cells(p)
    first.room(n)
    first.wrote(n)
    others = [first.fork() for _ in range(forks)]
    for cells in [*others, first][:writers]:
        cells.room(more)
        cells.wrote(more)
    return p.counters.copied, p.n_used


def rewind_frees(n: int, kept: int, B: int) -> int:
    """Blocks that become free when a sequence of n tokens goes back to its first ``kept``."""
    p = pool(64, B)
    cells = Cells(p)
    cells.room(n)
    cells.wrote(n)
    before = p.n_free
    cells.truncate(kept)
    return p.n_free - before


def rewind_by_tokens(n: int, kept: int, B: int) -> int:
    """The same by dividing the tokens that went, rounded to where it is wrong."""
    gone = n - kept
    return gone // B if gone // B != rewind_frees(n, kept, B) else -(-gone // B)


# Eviction


def victim(policy: str, uses: str) -> str:
    """Which of the blocks A, B, C, D a policy gives up first, after they were found as in ``uses``.

    All four are published and let go in the order of their letters; each use finds a block and
    lets it go again.
    """
    kept, found = EVICTION[policy](), dict.fromkeys("ABCD", 0)
    for number, letter in enumerate("ABCD"):
        kept.add(ord(letter), number, 0)
    for letter in uses.split():
        kept.discard(ord(letter))
        found[letter] += 1
        kept.add(ord(letter), "ABCD".index(letter), found[letter])
    return chr(kept.pop())


def is_victim(block: str, policy: str, uses: str) -> bool:
    """Is this block the one that the policy gives up?"""
    return victim(policy, uses) == block


def cache_history(block: str, uses: str) -> str:
    """What the policies know of a block, in words."""
    n = uses.split().count(block)
    order = [x for i, x in enumerate(uses.split()) if x not in uses.split()[i + 1 :]]
    never = [x for x in "ABCD" if x not in uses.split()]
    place = [*never, *order].index(block) + 1
    published = "ABCD".index(block) + 1
    times = "never" if n == 0 else "once" if n == 1 else f"{n} times"
    return f"published as number {published}, found {times}, let go as number {place} of the four"


def kept_tokens(policy: str, n: int, n_kept: int, n_sinks: int) -> str:
    """The indices of the tokens that a policy keeps, as a list."""
    return str(TOKEN_EVICTION[policy].keep(n, n_kept, n_sinks, None).tolist())


def next_position(policy: str, n: int, n_kept: int, n_sinks: int) -> int:
    """Position of the next token after a policy has forgotten some of n stored ones."""
    row = TOKEN_EVICTION[policy]
    cells = Cells(pool(64, 4))
    cells.room(n)
    cells.wrote(n)
    cells.keep(row.keep(n, n_kept, n_sinks, None), alone=row.closes_ranks)
    if row.closes_ranks:
        cells.close_ranks(lambda rows, layer, by: rows)
    return cells.next_position


# Passes


@functools.lru_cache(maxsize=256)
def passes_until_token(n: int, n_batch: int, n_decoding: int) -> int:
    """Passes until a prompt of n tokens gets its first token beside sequences that decode."""
    scheduler = Scheduler(pool(512, 4), n_batch=n_batch, share_prefixes=False)
    others = [Sequence([i], Chain(seed=1), 500) for i in range(1, n_decoding + 1)]
    for s in others:
        scheduler.add(s)
    if others:
        one_pass(scheduler)
    prompt = Sequence(list(range(2, n + 2)), Chain(seed=1), n + 9)
    scheduler.add(prompt)
    for n_passes in range(1, 100):
        if prompt in one_pass(scheduler):
            return n_passes
    raise Unclear(f"{n} tokens beside {n_decoding} others take more than 100 passes")


def one_pass(scheduler: Scheduler) -> list[Sequence]:
    """Run the scheduler's next pass without a network: whoever is ready gets a token."""
    ready = [s for _, s in scheduler.advance(scheduler.next())]
    for s in ready:
        s.append(1)
        scheduler.accept(s, 0)
    return ready


def tokens_computed(n_prompt: int, n_new: int, cached: int) -> int:
    """Tokens that go through the network to generate ``n_new``, with a cache or without one."""
    stored, total = 0, 0
    for length in range(n_prompt, n_prompt + n_new):
        total += length - stored
        stored = length if cached else 0
    return total


def decode_seconds(weights_gb: float, bandwidth_gb: float, kv_gb: float, n: int) -> float:
    """Least time of a pass that decodes n sequences: weights once, each one's cache once."""
    return (weights_gb + n * kv_gb) / bandwidth_gb


def batch_gain(weights_gb: float, kv_gb: float, n: int) -> float:
    """How many times more tokens a second n sequences give together than one alone."""
    alone, together = (decode_seconds(weights_gb, 1.0, kv_gb, k) for k in (1, n))
    return n * alone / together


def quantized_share(E: int, format_name: str) -> float:
    """Bytes of a cache in a format over bytes of one in F16."""
    return kv_bytes(1, 1, E, 1, format_name) / kv_bytes(1, 1, E)


def width_of_codes(format_name: str) -> int:
    """Bits of a code of a format whose blocks are codes and one scale of two bytes."""
    row = FORMATS[format_name]
    return (row.block_bytes - 2) * 8 // row.block_size


def share_of_codes(width: int) -> float:
    """Bits of codes over the 16 of F16, scales forgotten."""
    return width / 16


ROWS = (
    batch_gain,
    blocks_after_forks,
    blocks_by_floor,
    blocks_for,
    cache_history,
    copies_on_write,
    decode_seconds,
    is_victim,
    kept_tokens,
    next_position,
    passes_until_token,
    prefix_blocks,
    quantized_share,
    rewind_by_tokens,
    rewind_frees,
    same_under_another_prefix,
    sequences_that_fit,
    share_of_codes,
    slot_of,
    slot_of_mistake,
    tokens_computed,
    unused_slots,
    unused_slots_mistake,
    width_of_codes,
)
