"""memory and token eviction: what was forked, cut, moved, saved or forgotten goes on as it must."""

from __future__ import annotations

import json
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from minengine import Engine, oracle
from minengine.errors import EngineError, Malformed, NotGGUF, OutOfBlocks, RequestError, Truncated
from minengine.eviction import TOKEN_EVICTION
from minengine.formats import FORMATS
from minengine.random_model import VARIANTS

IDS = np.random.default_rng(5).integers(3, 48, 30).tolist()
GRAMMAR = "root ::= ([ -$] [%-,])*"  # tokens 35 to 39 and 40 to 47, in turn
# every layer sees 12 tokens, so nothing is lost where those before them are forgotten
WINDOWED = {"attention.sliding_window": 12, "attention.sliding_window_pattern": [True] * 3}


@pytest.fixture(scope="module")
def plain(write_model):
    with open_engine(write_model("llama", n_layers=3, tied=False)) as engine:
        yield engine


def open_engine(path, **options) -> Engine:
    engine = Engine(path, **{"n_threads": 1, "block_size": 4} | options)
    engine.tokenizer.ends = set()  # random models end anywhere
    return engine


def written(engine, ids, n=20, **options) -> list[int]:
    generation = engine.generate(ids, max_tokens=n, **{"greedy": True} | options)
    list(generation)
    return generation.sequence.tokens


def finish(engine, *sequences) -> None:
    for sequence in sequences:
        engine.scheduler.add(sequence)
    while engine.scheduler.running or engine.scheduler.waiting:
        engine.step()


def begun(engine, ids=IDS, n=20, steps=1, **options):
    """A sequence some steps under way, out of the scheduler and with its cells."""
    sequence = engine.sequence(ids, max_tokens=n, **{"greedy": True} | options)
    engine.scheduler.add(sequence)
    for _ in range(steps):
        engine.step()
    engine.scheduler.running.remove(sequence)
    return sequence


# Forks and rewinding ------------------------------------------------------------------------------


def test_a_fork_writes_what_the_first_writes_and_each_keeps_to_itself(plain):
    want = written(plain, IDS, greedy=False, seed=3)
    first = begun(plain, steps=5, greedy=False, seed=3)
    second = plain.memory.fork(first)
    third = plain.memory.fork(first, seed=4, max_tokens=9)
    copied = plain.pool.counters.copied
    finish(plain, first, second, third)
    assert first.tokens == second.tokens == want
    assert third.tokens[: len(IDS) + 5] == want[: len(IDS) + 5] != third.tokens
    assert len(third.tokens) == len(IDS) + 5 + 9
    assert plain.pool.counters.copied > copied  # the block in which they part
    assert plain.pool.n_used == 0


def test_after_rewinding_a_greedy_text_comes_again(plain):
    want = written(plain, IDS)
    sequence = begun(plain, steps=12)
    for n in (len(IDS) + 7, len(IDS) + 3, 9):
        plain.memory.rewind(sequence, n)
        assert (sequence.tokens, sequence.cells.n) == (want[:n], n - 1)
    sequence.tokens += IDS[9:]
    finish(plain, sequence)
    assert sequence.tokens == want


def test_rewinding_takes_tokens_out_of_the_penalties(plain):
    sequence = begun(plain, steps=6, repeat_penalty=1.5)
    plain.memory.rewind(sequence, len(IDS) + 2)
    assert sequence.chain.history == sequence.tokens
    finish(plain, sequence)
    assert sequence.tokens == written(plain, IDS, repeat_penalty=1.5)


def test_rewinding_takes_a_grammar_back(plain):
    want = written(plain, IDS, grammar=GRAMMAR)
    assert all(35 <= t <= 39 for t in want[len(IDS) :: 2])
    sequence = begun(plain, steps=8, grammar=GRAMMAR)
    plain.memory.rewind(sequence, len(IDS) + 3)
    finish(plain, sequence)
    assert sequence.tokens == want


def test_a_finished_sequence_can_be_rewound_and_goes_on(plain):
    sequence = plain.sequence(IDS, max_tokens=8, greedy=True)
    finish(plain, sequence)
    want = list(sequence.tokens)
    plain.memory.rewind(sequence, len(IDS) + 2)
    finish(plain, sequence)
    assert sequence.tokens == want


def test_what_was_forgotten_can_not_be_rewound(plain):
    sequence = begun(plain, steps=6)
    plain.memory.seq_rm(sequence, 3, 5)
    with pytest.raises(RequestError, match="forgotten or moved"):
        plain.memory.rewind(sequence, 20)
    with pytest.raises(RequestError, match="to 99 tokens, want 1 to 36"):
        plain.memory.rewind(sequence, 99)
    plain.memory.release(sequence)
    assert plain.pool.n_used == 0


# llama.cpp's operations ---------------------------------------------------------------------------


def next_logits(engine, sequence) -> np.ndarray:
    """Logits after the last token of a sequence that has one left to be seen."""
    engine.scheduler.add(sequence)
    plan = engine.scheduler.next()
    logits = engine._forward(plan.batch)
    engine.scheduler.running.remove(sequence)
    return logits[-1]


@pytest.mark.parametrize("variant", VARIANTS)
def test_moving_all_cells_alike_changes_the_logits_by_rounding_alone(write_model, variant):
    row = VARIANTS[variant]
    sizes = {"D": 256, "H": 4, "G": 2, "E": 64, "F": 128}
    with open_engine(write_model(row.arch, keys=row.keys, **sizes | row.options)) as engine:
        still, moved = begun(engine), begun(engine)
        engine.memory.seq_add(moved, 0, -1, 25)
        assert engine.memory.seq_pos_min(moved) == 25
        want, got = next_logits(engine, still), next_logits(engine, moved)
        # scores depend on differences of positions; float32 rounds twice more. 2e-7 was seen
        assert np.sqrt(np.mean((got - want) ** 2)) < 2e-6 * np.std(want)
        engine.memory.seq_add(moved, 0, -1, -25)
        assert not moved.cells.holes


def test_moving_cells_in_other_formats_rounds_as_the_format_does(write_model):
    path = write_model("llama", n_layers=3, E=32, D=128)
    for name, tolerance in {"F16": 2e-3, "Q8_0": 3e-2}.items():
        with open_engine(path, cache_format=name) as engine:
            still, moved = begun(engine), begun(engine)
            engine.memory.seq_add(moved, 0, -1, 7)
            want, got = next_logits(engine, still), next_logits(engine, moved)
            assert 0 < np.sqrt(np.mean((got - want) ** 2)) < tolerance * np.std(want)


def test_a_context_shift_is_what_the_oracle_makes_of_the_same_keys(plain):
    """llama.cpp's way on: forget 4 .. 11, close ranks, go on."""
    sequence = plain.sequence(IDS, greedy=True)
    tokens, seen = IDS[:20], [[(j, j) for j in range(t + 1)] for t in range(20)]
    sequence.tokens = tokens[:19]
    plain.scheduler.add(sequence)
    plan = plain.scheduler.next()
    plain._forward(plan.batch)
    plain.scheduler.advance(plan)
    plain.scheduler.running.remove(sequence)
    assert plain.memory.seq_rm(sequence, 4, 12) == 8
    plain.memory.seq_add(sequence, 12, -1, -8)
    sequence.tokens.append(tokens[19])
    kept = [*range(4), *range(12, 20)]
    seen[19] = [(j, at) for at, j in enumerate(kept)]
    got, want = next_logits(plain, sequence), streamed(plain, tokens, seen)[19]
    assert np.abs(got - want).max() < 1e-5 * np.ptp(want)  # float32 against float64
    plain.memory.release(sequence)


def test_a_copied_prefix_is_shared_and_saves_its_computation(plain):
    source, target = begun(plain), plain.sequence(IDS, max_tokens=20, greedy=True)
    used = plain.pool.n_used
    assert plain.memory.seq_cp(source, target, 0, 17) == 17
    assert (plain.pool.n_used, target.n_cached, target.n_left) == (used, 17, 13)
    finish(plain, source, target)
    assert source.tokens == target.tokens == written(plain, IDS)


def test_a_copied_middle_comes_behind_what_is_there(plain):
    source, target = begun(plain), begun(plain, IDS[:9], steps=1)
    whole = written(plain, IDS)
    n = target.cells.n
    target.tokens = list(source.tokens)
    assert plain.memory.seq_cp(source, target, n, -1) == len(IDS) - n
    target.tokens.append(1)
    with pytest.raises(RequestError, match="this sequence has cells up to 29"):
        plain.memory.seq_cp(source, target, 29, -1)
    target.tokens.pop()
    finish(plain, source, target)
    assert target.tokens[: len(whole)] == whole[: len(target.tokens)]


def test_keeping_one_sequence_ends_the_others(plain):
    running = [plain.sequence(IDS[n:], max_tokens=5) for n in range(3)]
    for s in running:
        plain.scheduler.add(s)
    plain.step()
    plain.memory.seq_keep(running[1])
    assert [s.reason for s in running] == ["closed", "", "closed"]
    assert plain.pool.n_used == len(running[1].table)
    plain.memory.release(running[1])


def test_impossible_moves_are_refused_and_nothing_changes(plain):
    sequence = begun(plain)
    before = sequence.cells.positions.tolist(), plain.pool.keys.copy()
    with pytest.raises(RequestError, match="would pass each other"):
        plain.memory.seq_add(sequence, 10, -1, -3)
    with pytest.raises(RequestError, match="would pass each other"):
        plain.memory.seq_div(sequence, 0, -1, 2)
    with pytest.raises(RequestError, match="divisor 0"):
        plain.memory.seq_div(sequence, 0, -1, 0)
    assert sequence.cells.positions.tolist() == before[0]
    assert np.array_equal(plain.pool.keys, before[1])
    plain.memory.seq_add(sequence, 0, -1, -4)  # those before position 0 go
    assert sequence.cells.positions.tolist() == list(range(26))
    plain.memory.seq_add(sequence, 0, -1, 10)
    plain.memory.seq_rm(sequence, 12, -1)
    plain.memory.seq_add(sequence, 11, -1, 9)
    plain.memory.seq_div(sequence, 0, -1, 10)
    assert sequence.cells.positions.tolist() == [1, 2]
    plain.memory.release(sequence)


# Sequences longer than their cells ----------------------------------------------------------------


def streamed(engine, tokens, seen) -> np.ndarray:
    """Logits by the oracle where token t sees the tokens ``seen[t]``, pairs of index and position,
    its own the last: (T, V).
    """
    h = engine.model.hparams
    w = {
        name: FORMATS[t.format].dequantize(t.data).reshape(t.shape).astype(np.float64)
        for name, t in engine.model.file.tensors.items()
    }
    x, n = oracle.embed(w["token_embd.weight"], tokens), len(tokens)
    for i in range(h.n_layers):
        part = {k.split(".")[2]: v for k, v in w.items() if k.startswith(f"blk.{i}.")}
        y = oracle.rms_norm(x, part["attn_norm"], h.eps)
        q, k, v = (
            oracle.matmul(y, part[f"attn_{name}"]).reshape(n, heads, h.E)
            for name, heads in (("q", h.H), ("k", h.G), ("v", h.G))
        )
        out = []
        for t in range(n):
            which, at = map(np.array, zip(*seen[t], strict=True))
            keys = oracle.rope(k[which], at, h.rope_base)
            query = oracle.rope(q[t : t + 1], at[-1:], h.rope_base)
            out.append(oracle.attention(query, keys, v[which]).reshape(-1))
        x = x + oracle.matmul(np.array(out), part["attn_output"])
        y = oracle.rms_norm(x, part["ffn_norm"], h.eps)
        x = x + oracle.swiglu(y, part["ffn_gate"], part["ffn_up"], part["ffn_down"])
    head = w.get("output.weight", w["token_embd.weight"])
    return oracle.matmul(oracle.rms_norm(x, w["output_norm.weight"], h.eps), head)


def schedule(name, n_tokens, n_cells, n_sinks, n_dropped):
    """Which tokens each token sees and where, by the rule as it is written."""
    stored, seen = [], []
    for t in range(n_tokens):
        if len(stored) == n_cells:
            if name == "window":
                stored = stored[n_dropped:]
            else:
                stored = [*stored[:n_sinks], *stored[n_sinks + n_dropped :]]
                stored = [(j, at) for at, (j, _) in enumerate(stored)]
        stored = [*stored, (t, stored[-1][1] + 1 if stored else 0)]
        seen.append(stored)
    return seen


@pytest.mark.parametrize("name", ["window", "sinks"])
def test_a_long_text_is_the_oracles_with_the_same_tokens_forgotten(plain, name, monkeypatch):
    rows, pass_ = [], plain._forward
    monkeypatch.setattr(plain, "_forward", lambda *a, **o: rows.append(pass_(*a, **o)) or rows[-1])
    options = {"token_eviction": name, "n_cells": 20, "n_sinks": 3}
    sequence = plain.sequence(IDS, max_tokens=22, greedy=True, **options)
    finish(plain, sequence)
    tokens = sequence.tokens
    seen = schedule(name, len(tokens), 20, 3, sequence.budget.n_dropped)
    assert max(map(len, seen)) == 20
    want = streamed(plain, tokens, seen)[len(IDS) - 1 : -1]
    got = np.concatenate(rows)
    assert got.shape == want.shape
    assert np.abs(got - want).max() < 1e-5 * np.ptp(want)  # float32 against float64
    full = streamed(plain, tokens, [[(j, j) for j in range(t + 1)] for t in range(len(tokens))])
    assert np.abs(got - full[len(IDS) - 1 : -1]).max() > 0.01 * np.ptp(want)


@pytest.mark.parametrize("arch", ["gemma3", "olmo2"])
def test_forgetting_what_no_layer_sees_any_more_changes_no_token(write_model, arch):
    path = write_model(arch, keys=WINDOWED, n_layers=3, tied=False)
    with open_engine(path) as engine:
        want = written(engine, IDS, 30, greedy=False, seed=1)
        peak = engine.pool.counters.peak
    with open_engine(path) as engine:
        evicting = {"token_eviction": "window", "n_cells": 16}
        assert written(engine, IDS, 30, greedy=False, seed=1, **evicting) == want
        assert engine.pool.counters.peak <= 5 < peak
        assert engine.pool.counters.dropped > 0


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from(sorted(TOKEN_EVICTION)), st.integers(1, 40), st.integers(9, 40),
    st.integers(0, 3), st.integers(8, 24),
)  # fmt: skip
def test_forgetting_does_not_depend_on_chunks_or_on_who_else_runs(
    plain, name, n_batch, n_blocks, n_strangers, n_cells
):
    options = {"token_eviction": name, "n_cells": n_cells, "n_sinks": 2, "greedy": True}
    want = written(plain, IDS, 16, **options)
    path = plain.model.file.path
    with open_engine(path, n_batch=n_batch, n_blocks=n_blocks) as engine:
        strangers = [engine.sequence(IDS[n : n + 20], max_tokens=12) for n in range(n_strangers)]
        sequence = engine.sequence(IDS[:], max_tokens=16, **options)
        finish(engine, *strangers[:1], sequence, *strangers[1:])
        assert sequence.tokens == want
        assert engine.pool.n_used == 0


def test_texts_may_be_longer_than_the_model_knows_positions(write_model):
    with open_engine(write_model("llama", n_layers=3)) as engine:
        limit = engine.model.hparams.context_length
        for name in TOKEN_EVICTION:
            sequence = engine.sequence(IDS, max_tokens=2 * limit, token_eviction=name, n_cells=24)
            engine.scheduler.add(sequence)
            while not sequence.reason:
                engine.step()
                if sequence.cells:
                    assert sequence.cells.next_position <= limit
            assert (sequence.reason, len(sequence.tokens)) == ("length", 30 + 2 * limit)


def test_h2o_keeps_what_was_looked_at(plain):
    """The tokens that stay are those of the largest attention, by the oracle's own sums."""
    sequence = begun(plain, IDS[:15], token_eviction="h2o", n_cells=16)
    h, n = plain.model.hparams, 15
    want = np.zeros(n)
    w = {t: FORMATS[i.format].dequantize(i.data).reshape(i.shape)
         for t, i in plain.model.file.tensors.items()}  # fmt: skip
    x = oracle.embed(w["token_embd.weight"], IDS[:n])
    for i in range(h.n_layers):
        part = {k.split(".")[2]: v for k, v in w.items() if k.startswith(f"blk.{i}.")}
        y = oracle.rms_norm(x, part["attn_norm"], h.eps)
        q, k = (
            oracle.rope(oracle.matmul(y, part[f"attn_{a}"]).reshape(n, -1, h.E), np.arange(n))
            for a in "qk"
        )
        for head in range(h.H):
            scores = q[:, head] @ k[:, head // (h.H // h.G)].T / np.sqrt(h.E)
            scores = np.where(oracle.causal_mask(n, n), scores, -np.inf)
            want += oracle.softmax(scores).sum(axis=0)
        options = {"n_heads": h.H, "n_kv_heads": h.G, "eps": h.eps, "base": h.rope_base}
        x, _ = oracle.layer(x, part, np.arange(n), **options)
    assert np.allclose(sequence.cells.mass, want, rtol=1e-5)
    row = TOKEN_EVICTION["h2o"]
    kept = row.keep(15, 8, 0, sequence.cells.mass)
    assert kept.tolist()[4:] == [11, 12, 13, 14]
    assert set(kept.tolist()[:4]) == set(np.argsort(-want[:11])[:4].tolist())
    plain.memory.release(sequence)


def test_impossible_evictions_are_refused_at_the_door(plain):
    for options, message in {
        ("h3o", 8): "token_eviction: got 'h3o', want window, sinks, h2o",
        ("window", 1): "n_cells: got 1, want 2 to the context of 64",
        (None, 8): "n_cells: want token_eviction",
    }.items():
        with pytest.raises(RequestError, match=message):
            plain.sequence(IDS, token_eviction=options[0], n_cells=options[1])
    with pytest.raises(RequestError, match="n_sinks: got 9"):
        plain.sequence(IDS, token_eviction="sinks", n_cells=8, n_sinks=9)


# Files --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [
    {"greedy": True}, {"seed": 7, "mirostat": 2, "repeat_penalty": 1.2},
    {"seed": 7, "adaptive_target": 0.3, "logit_bias": {5: 1.5}},
    {"seed": 7, "token_eviction": "h2o", "n_cells": 16},
    {"seed": 7, "token_eviction": "sinks", "n_cells": 16}, {"seed": 7, "grammar": GRAMMAR},
])  # fmt: skip
def test_a_saved_sequence_goes_on_as_it_would_have(plain, tmp_path, options):
    want = written(plain, IDS, 30, **{"greedy": False} | options)
    sequence = begun(plain, n=30, steps=12, **{"greedy": False} | options)
    n_bytes = plain.save(sequence, tmp_path / "state")
    assert n_bytes == (tmp_path / "state").stat().st_size
    plain.memory.release(sequence)
    with open_engine(plain.model.file.path, block_size=7) as other:
        loaded = other.load(tmp_path / "state")
        assert loaded.tokens == want[: len(loaded.tokens)]
        finish(other, loaded)
        assert loaded.tokens == want
        assert loaded.n_prompt == len(IDS)


@pytest.fixture(scope="module")
def saved(plain, tmp_path_factory):
    path = tmp_path_factory.mktemp("state") / "state"
    sequence = begun(plain, steps=4)
    plain.save(sequence, path)
    plain.memory.release(sequence)
    return path  # not its bytes, which would be printed with each failure


@settings(deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_refused_in_words(plain, saved, tmp_path_factory, data):
    path, saved = tmp_path_factory.getbasetemp() / "damaged", saved.read_bytes()
    at = data.draw(st.one_of(st.integers(0, 400), st.integers(0, len(saved) - 1)))
    raw = data.draw(
        st.sampled_from([saved[:at], saved[:at] + bytes([saved[at] ^ 1]) + saved[at + 1 :]])
    )
    path.write_bytes(raw)
    with pytest.raises((NotGGUF, Truncated, Malformed, RequestError)):
        plain.load(path)
    assert plain.pool.n_used == 0


def test_a_file_of_lies_with_a_right_checksum_is_refused(plain, saved, tmp_path):
    saved = saved.read_bytes()
    (n,) = struct.unpack("<I", saved[8:12])
    header, rest = json.loads(saved[12 : 12 + n]), saved[12 + n : -4]

    def written_as(change):
        lie = json.loads(json.dumps(header))
        change(lie)
        text = json.dumps(lie).encode()
        raw = saved[:8] + struct.pack("<I", len(text)) + text + rest
        (tmp_path / "lie").write_bytes(raw + struct.pack("<I", zlib.crc32(raw)))
        return tmp_path / "lie"

    plain.memory.release(plain.load(written_as(lambda h: None)))
    for change in (
        lambda h: h.pop("chain"),
        lambda h: h["chain"].update(values={"temperature": "hot"}),
        lambda h: h["chain"].update(rng={"bit_generator": "MT19937"}),
        lambda h: h["chain"].update(grammar=["root ::= [a-", []]),
        lambda h: h["chain"].update(grammar=[GRAMMAR, [3]]),
        lambda h: h["chain"].update(grammar=7),
        lambda h: h["counts"].update(n_cached=10**9),
        lambda h: h["counts"].update(n_cached=-1),
        lambda h: h.update(limit=[None, 3]),
        lambda h: h.update(budget={"name": "window", "n_cells": 10**9}),
        lambda h: h.update(budget=[1]),
        lambda h: h["arrays"].update(tokens=["<i4", [-1]]),
        lambda h: h["arrays"].update(tokens=["|O8", [1]]),
        lambda h: h["arrays"].pop("mass", h["arrays"].pop("keys")),
        lambda h: h.update(cache_format="F16"),
        lambda h: h.update(model="another"),
    ):
        with pytest.raises(EngineError):
            plain.load(written_as(change))
        assert plain.pool.n_used == 0


def test_a_state_that_does_not_fit_is_refused_and_takes_nothing(plain, saved):
    with open_engine(plain.model.file.path, n_blocks=4) as small:
        with pytest.raises(OutOfBlocks, match="9 blocks wanted"):
            small.load(saved)
        assert small.pool.n_used == 0


def test_a_failed_save_leaves_the_file_that_was_there(plain, tmp_path, monkeypatch):
    sequence = begun(plain)
    (tmp_path / "state").write_bytes(b"old")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        plain.save(sequence, tmp_path / "state")
    assert [p.name for p in tmp_path.iterdir()] == ["state"]
    assert (tmp_path / "state").read_bytes() == b"old"
    plain.memory.release(sequence)


# All of it together -------------------------------------------------------------------------------


class Together(RuleBasedStateMachine):
    """Greedy sequences that begin, fork, are cut, saved and pushed out at random, in a small pool:
    at any time each is a piece of what its prompt gives alone.
    """

    formats = "F32"

    def __init__(self):
        super().__init__()
        self.engine = open_engine(self.path, n_blocks=26, n_batch=9, cache_format=self.formats)
        self.mine = []

    def teardown(self):
        for sequence in self.mine:
            self.engine.memory.release(sequence)
        assert self.engine.pool.n_used == 0
        self.engine.close()

    def one(self, data):
        return self.mine[data.draw(st.integers(0, len(self.mine) - 1))]

    @precondition(lambda self: len(self.mine) < 5)
    @rule(n=st.sampled_from(range(3)))
    def begin(self, n):
        sequence = self.engine.sequence(IDS[n : n + 9 + 8 * n], max_tokens=20, greedy=True)
        self.mine.append(sequence)
        self.engine.scheduler.add(sequence)

    @precondition(lambda self: self.mine)
    @rule(n=st.integers(1, 6))
    def step(self, n):
        for _ in range(n):
            self.engine.step()

    @precondition(lambda self: self.mine and len(self.mine) < 5)
    @rule(data=st.data())
    def fork(self, data):
        self.mine.append(self.engine.memory.fork(self.one(data)))
        if not self.mine[-1].limit <= len(self.mine[-1].tokens):
            self.engine.scheduler.add(self.mine[-1])

    @precondition(lambda self: self.mine)
    @rule(data=st.data())
    def rewind(self, data):
        sequence = self.one(data)
        finished = sequence not in [*self.engine.scheduler.running, *self.engine.scheduler.waiting]
        n = data.draw(st.integers(sequence.n_prompt, len(sequence.tokens)))
        self.engine.memory.rewind(sequence, n)
        if finished and n < sequence.limit:
            self.engine.scheduler.add(sequence)

    @precondition(lambda self: self.mine)
    @rule(data=st.data())
    def through_a_file(self, data):
        sequence = self.one(data)
        if sequence.n_left and sequence.n_cached < len(sequence.tokens) < sequence.limit:
            self.engine.save(sequence, self.path.with_suffix(".state"))
            self.engine.memory.release(sequence)
            self.mine.remove(sequence)
            try:
                self.mine.append(self.engine.load(self.path.with_suffix(".state")))
            except OutOfBlocks:  # what it shared is its own now, and others run
                return
            self.engine.scheduler.add(self.mine[-1])

    @precondition(lambda self: self.mine)
    @rule(data=st.data())
    def release(self, data):
        sequence = self.one(data)
        self.engine.memory.release(sequence)
        self.mine.remove(sequence)

    @invariant()
    def every_text_is_the_beginning_of_what_its_prompt_gives_alone(self):
        for s in self.mine:
            want = self.texts[s.n_prompt]
            assert s.tokens == want[: len(s.tokens)]


@pytest.mark.parametrize("formats", ["F32", "F16", "Q8_0"])
def test_sequences_that_fork_rewind_and_rest_in_files_stay_what_they_are(write_model, formats):
    path = write_model("llama", n_layers=3, tied=False, E=32, D=128)
    with open_engine(path, cache_format=formats) as alone:
        texts = {9 + 8 * n: written(alone, IDS[n : n + 9 + 8 * n]) for n in range(3)}
    machine = type("Case", (Together,), {"path": path, "texts": texts, "formats": formats})
    run_state_machine_as_test(machine, settings=settings(deadline=None, max_examples=20))
