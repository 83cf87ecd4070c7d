"""The scheduler over a real pool and a network of paper: who runs when, with whose blocks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minengine.cells import Cells
from minengine.errors import OutOfBlocks, RequestError
from minengine.kvcache import BlockPool
from minengine.sampling import Chain
from minengine.scheduler import Plan, Scheduler
from minengine.sequence import Sequence

END = 99


def pool(n_blocks: int, block_size: int = 4) -> BlockPool:
    return BlockPool(n_blocks, block_size, 1, 1, 1)


def sequence(n_prompt: int, n_new: int = 4, first: int = 0) -> Sequence:
    ids = [(first + i) % END for i in range(n_prompt)]
    return Sequence(ids, Chain(seed=0), n_prompt + n_new)


def next_token(tokens: list[int]) -> int:
    """A network of paper: a token from all tokens before it."""
    return (sum(tokens) * 31 + len(tokens)) % END


def run(scheduler: Scheduler, *, n_passes: int = 10_000) -> list[Plan]:
    """Passes until nobody is left; each checks that a sequence reads and writes its own blocks."""
    plans = []
    while len(plans) < n_passes and (plan := scheduler.next()) is not None:
        plans.append(plan)
        check(scheduler, plan)
        for _, s in scheduler.advance(plan):
            s.append(next_token(s.tokens))
            if s.reason:
                scheduler.remove(s)
    return plans


def check(scheduler: Scheduler, plan: Plan) -> None:
    batch, B = plan.batch, scheduler.pool.block_size
    assert 0 < len(batch.tokens) <= scheduler.n_batch
    assert len(set(batch.slots.tolist())) == len(batch.slots)
    held = [b for s in scheduler.running for b in s.table]
    assert len(set(held)) == len(held) <= scheduler.pool.n_used
    at = 0
    for row, (s, n) in enumerate(plan.pieces):
        assert batch.tokens[at : at + n].tolist() == s.tokens[s.n_cached : s.n_cached + n]
        assert batch.positions[at : at + n].tolist() == list(range(s.n_cached, s.n_cached + n))
        assert batch.sequences[at : at + n].tolist() == [row] * n
        slots = [s.table[j // B] * B + j % B for j in range(s.n_cached, s.n_cached + n)]
        assert batch.slots[at : at + n].tolist() == slots
        at += n
    assert at == len(batch.tokens)


def alone(s: Sequence) -> list[int]:
    tokens = list(s.tokens)
    while len(tokens) < s.limit:
        tokens.append(next_token(tokens))
    return tokens


REQUESTS = st.lists(st.tuples(st.integers(1, 20), st.integers(1, 12)), min_size=1, max_size=7)


@given(REQUESTS, st.integers(1, 12), st.integers(1, 4), st.integers(8, 40), st.integers(1, 5))
def test_any_mix_gives_each_sequence_what_it_gets_alone(requests, n_batch, n_run, n_blocks, size):
    blocks = pool(max(n_blocks, -(-32 // size)), size)
    scheduler = Scheduler(blocks, n_batch=n_batch, n_running=n_run)
    sequences = [sequence(n, new, first) for first, (n, new) in enumerate(requests)]
    wanted = [alone(s) for s in sequences]
    for s in sequences:
        scheduler.add(s)
    run(scheduler)
    assert [s.tokens for s in sequences] == wanted
    assert {s.reason for s in sequences} == {"length"}
    assert blocks.n_free == blocks.n_blocks


def test_without_pressure_every_token_is_computed_once():
    scheduler = Scheduler(pool(100), n_batch=7)
    sequences = [sequence(n, 5) for n in (3, 20, 1)]
    for s in sequences:
        scheduler.add(s)
    plans = run(scheduler)
    # All but the last token of each: nothing follows it.
    assert sum(len(p.batch.tokens) for p in plans) == sum(s.limit - 1 for s in sequences)


def test_the_first_to_come_is_the_first_to_run():
    scheduler = Scheduler(pool(100), n_batch=4, n_running=2)
    first, second, third = (sequence(3) for _ in range(3))
    for s in (first, second, third):
        scheduler.add(s)
    assert [(s, n) for s, n in scheduler.next().pieces] == [(first, 3), (second, 1)]
    assert list(scheduler.waiting) == [third]


def test_a_long_prompt_comes_in_chunks_and_does_not_hold_up_the_others():
    scheduler = Scheduler(pool(100), n_batch=8)
    talker, reader = sequence(2, 10), sequence(40, 1)
    scheduler.add(talker)
    run(scheduler, n_passes=1)
    scheduler.add(reader)
    shapes = [[n for _, n in p.pieces] for p in run(scheduler, n_passes=6)]
    # One token of the talker in each pass, and seven of the prompt until it is in.
    assert shapes == [[1, 7]] * 5 + [[1, 5]]


def test_several_sequences_decode_in_one_batch():
    scheduler = Scheduler(pool(100))
    for n in (3, 4, 5):
        scheduler.add(sequence(n))
    run(scheduler, n_passes=1)
    assert [n for _, n in scheduler.next().pieces] == [1, 1, 1]


def test_the_last_to_come_gives_way_and_is_computed_again():
    blocks = pool(4)
    scheduler = Scheduler(blocks)
    old, young = sequence(7, 6), sequence(7, 6, 3)
    wanted = alone(old), alone(young)
    scheduler.add(old)
    scheduler.add(young)
    run(scheduler)
    assert (old.tokens, young.tokens) == wanted
    assert (old.n_preempted, young.n_preempted) == (0, 1)
    assert blocks.n_free == 4


def test_of_several_the_last_gives_way_and_comes_back_before_those_that_wait():
    blocks = pool(6)
    scheduler = Scheduler(blocks, n_running=3)
    first, second, third, fourth = (sequence(7, 6, n) for n in range(4))
    for s in (first, second, third, fourth):
        scheduler.add(s)
    run(scheduler, n_passes=2)  # 8 tokens each: their two blocks are full
    assert scheduler.running == [first, second, third]
    run(scheduler, n_passes=1)
    assert scheduler.running == [first, second]
    assert list(scheduler.waiting) == [third, fourth]
    assert (third.n_preempted, third.table, third.n_cached) == (1, [], 0)
    run(scheduler)
    assert [s.n_preempted for s in (first, second, fourth)] == [0, 0, 0]


def state(scheduler: Scheduler) -> tuple:
    def shown(s: Sequence) -> tuple:
        return list(s.tokens), list(s.table), s.n_cached, s.n_preempted, s.reason

    waiting, running = map(shown, scheduler.waiting), map(shown, scheduler.running)
    return list(waiting), list(running), scheduler.pool.n_free


def test_out_of_blocks_changes_nothing_and_the_next_pass_goes_on():
    blocks = pool(6)
    scheduler = Scheduler(blocks)
    s = sequence(8, 6)
    wanted = alone(s)
    scheduler.add(s)
    run(scheduler, n_passes=1)
    taken = blocks.allocate(blocks.n_free)
    waiting = sequence(4)
    scheduler.add(waiting)
    before = state(scheduler)
    for _ in range(2):
        with pytest.raises(OutOfBlocks, match="0 of 6 are free"):
            scheduler.next()
        assert state(scheduler) == before
    blocks.free(taken)
    run(scheduler)
    assert s.tokens == wanted


def test_nobody_is_preempted_in_vain():
    blocks = pool(8)
    scheduler = Scheduler(blocks, n_batch=12)
    old, young = sequence(20, 1), sequence(4, 9)
    scheduler.add(old)
    run(scheduler, n_passes=1)  # 12 of the 20 tokens, 3 blocks
    scheduler.add(young)
    blocks.allocate(blocks.n_free - 1)
    scheduler.running.append(scheduler.waiting.popleft())
    young.cells = Cells(blocks)
    young.cells.room(4)
    old_table = list(old.table)
    assert [s for s, _ in scheduler.next().pieces] == [young]
    assert (old.table, young.n_preempted) == (old_table, 0)


def test_a_pass_that_was_not_computed_comes_again():
    scheduler = Scheduler(pool(10))
    scheduler.add(sequence(5))
    first, second = scheduler.next(), scheduler.next()
    assert first.batch.slots.tolist() == second.batch.slots.tolist()
    assert first.pieces == second.pieces


def test_removing_frees_blocks_wherever_the_sequence_is():
    blocks = pool(10)
    scheduler = Scheduler(blocks, n_running=1)
    running, waiting, foreign = sequence(5), sequence(5), sequence(5)
    scheduler.add(running)
    scheduler.add(waiting)
    scheduler.next()
    for s in (running, waiting, foreign, running):
        scheduler.remove(s)
    assert blocks.n_free == 10
    assert scheduler.next() is None
    assert running.reason == "closed"


def test_an_end_token_finishes_a_sequence_and_is_no_part_of_it():
    s = sequence(2, 9)
    s.append(5, {END})
    s.append(END, {END})
    assert (s.tokens, s.reason) == ([0, 1, 5], "end")


def test_what_can_never_run_is_refused_at_the_door():
    scheduler = Scheduler(pool(2))
    with pytest.raises(RequestError, match="a prompt of 9 tokens: the cache has 2 blocks of 4"):
        scheduler.add(sequence(9))
    with pytest.raises(RequestError, match="no tokens"):
        sequence(0)
    with pytest.raises(ValueError, match="n_batch 0"):
        Scheduler(pool(2), n_batch=0)


def test_a_prompt_that_is_not_in_yet_asks_for_no_logits():
    scheduler = Scheduler(pool(100), n_batch=8)
    scheduler.add(sequence(20))
    rows = [p.batch.rows.tolist() for p in run(scheduler, n_passes=4)]
    assert rows == [[], [], [3], [0]]


def test_a_fair_queue_serves_the_user_who_got_least():
    scheduler = Scheduler(pool(100), n_running=1, queue="fair")
    greedy_user = [sequence(10, 10, n) for n in range(4)]
    other = [sequence(3, 2, n) for n in range(2)]
    for s in greedy_user:
        s.user = "greedy"
        scheduler.add(s)
    for s in other:
        s.user = "other"
        scheduler.add(s)
    order = []
    while (plan := scheduler.next()) is not None:
        order += [s for s, _ in plan.pieces if s not in order]
        for _, s in scheduler.advance(plan):
            s.append(next_token(s.tokens))
            if s.reason:
                scheduler.remove(s)
    # the second user's two come as soon as the first's first one is done
    assert order == [greedy_user[0], *other, *greedy_user[1:]]
    assert scheduler.served == {"greedy": 4 * 19, "other": 2 * 4}


def test_a_user_who_was_away_is_not_served_first_for_long():
    scheduler = Scheduler(pool(100), n_running=1, queue="fair")
    for n in range(3):
        scheduler.add(sequence(10, 10, n))
    run(scheduler, n_passes=25)
    late = sequence(2, 2)
    late.user = "late"
    scheduler.add(late)
    assert scheduler.served["late"] == scheduler.served[""] > 0


@given(REQUESTS, st.integers(0, 3), st.integers(1, 3))
def test_with_two_users_that_always_wait_neither_gets_far_ahead(requests, n_extra, n_run):
    scheduler = Scheduler(pool(200), n_running=n_run, queue="fair")
    for n, (n_prompt, n_new) in enumerate(requests * 4):
        s = sequence(n_prompt, n_new, n)
        s.user = "ab"[n % (2 + n_extra) > 0]
        scheduler.add(s)
    largest = max(n + new for n, new in requests)
    for _ in range(400):
        if {s.user for s in scheduler.waiting} != {"a", "b"}:
            break
        run(scheduler, n_passes=1)
        # Sheng et al. 2024, theorem 4.4: twice what can be under way at once
        apart = abs(scheduler.served["a"] - scheduler.served["b"])
        assert apart <= 2 * largest * (n_run + 1)


def test_a_pinned_sequence_is_never_preempted():
    blocks = pool(4)
    scheduler = Scheduler(blocks)
    old, young = sequence(7, 6), sequence(7, 2, 3)
    young.pinned = True
    scheduler.add(old)
    scheduler.add(young)
    run(scheduler)
    assert (old.n_preempted, young.n_preempted) == (0, 0)
    assert old.tokens == alone(sequence(7, 6))


def test_a_waiting_sequence_with_blocks_gives_them_up():
    blocks = pool(6)
    scheduler = Scheduler(blocks, n_running=1)
    old, forked = sequence(7, 14), sequence(9, 3, 5)
    scheduler.add(old)
    forked.cells = Cells(blocks)
    forked.cells.room(9)
    forked.cells.wrote(8)
    forked.n_cached = 8
    scheduler.add(forked)
    run(scheduler)
    assert forked.n_preempted == 1
    assert (old.tokens, forked.tokens) == (alone(sequence(7, 14)), alone(sequence(9, 3, 5)))
    assert blocks.n_free == 6


def test_an_unknown_queue_is_refused():
    with pytest.raises(ValueError, match="queue 'lifo', want fcfs or fair"):
        Scheduler(pool(2), queue="lifo")


def test_users_of_the_past_are_forgotten_when_nobody_waits():
    scheduler = Scheduler(BlockPool(4, 4, 1, 1, 1), queue="fair")
    for n in range(5):
        one = Sequence([1], None, 9, user=str(n))
        scheduler.add(one)
        scheduler.remove(one)
    assert list(scheduler.served) == ["4"]
