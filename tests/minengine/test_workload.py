"""workload: traces of many users, and that the figures are those of what ran."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from minengine import Engine, workload
from minengine.errors import RequestError
from minengine.workload import Request


@pytest.fixture(scope="module")
def path(write_model):
    return write_model("llama", D=32, V=64)


@pytest.fixture
def ticking(monkeypatch):
    """A clock that moves by 1 s each time it is looked at: a pass takes 1 s."""
    ticks = itertools.count()
    monkeypatch.setattr("time.perf_counter", lambda: float(next(ticks)))


def run(path, requests, **options):
    with Engine(path, 1, **{"block_size": 4, "n_blocks": 200} | options) as engine:
        found = workload.simulate(engine, requests)
        assert engine.pool.n_used == 0
        assert engine.scheduler.running == []
    return found


def test_the_figures_count_what_ran(path, ticking):
    requests = [Request(2.0 * n, f"u{n % 2}", 6, 3) for n in range(4)]
    f = run(path, requests, n_batch=6)
    assert (f["n_requests"], f["prompt_tokens"], f["answer_tokens"]) == (4, 24, 12)
    # alone each takes three passes: its prompt and two tokens more; they overlap by one
    assert f["n_passes"] == f["busy_s"] <= f["clock_s"]
    assert f["first_token_s"]["p50"] >= 1
    assert f["tokens_per_s"] == 12 / f["busy_s"]
    assert f["users"]["u0"]["answer_tokens"] == f["users"]["u1"]["answer_tokens"] == 6


def test_idle_time_is_skipped_and_waiting_is_not(path, ticking):
    far = run(path, [Request(0.0, "a", 4, 2), Request(1000.0, "a", 4, 2)])
    assert far["busy_s"] == 4
    assert far["clock_s"] == 1002
    assert far["whole_answer_s"]["max"] == 2
    near = run(path, [Request(0.0, "a", 4, 9), Request(0.5, "a", 30, 2)], n_batch=5)
    assert near["first_token_s"]["max"] > 5  # 30 tokens by at most 4 a pass, beside another


def test_shared_prefixes_are_found_and_save_passes(path, ticking):
    requests = [Request(30.0 * n, "a", 3, 2, prefix=0, n_prefix=20) for n in range(4)]
    shared, alone = (
        run(path, requests, n_batch=4),
        run(path, requests, n_batch=4, share_prefixes=False),
    )
    assert shared["found_tokens"] == 3 * 20
    assert shared["hit_rate"] == 15 / 20
    assert (alone["found_tokens"], alone["hit_rate"]) == (0, 0)
    assert alone["n_passes"] - shared["n_passes"] == 3 * 5


def test_a_fair_queue_keeps_one_user_from_holding_up_the_others(path, ticking):
    flood = [Request(0.0, "flood", 8, 8) for _ in range(20)]
    others = [Request(3.0, f"other{n}", 8, 8) for n in range(3)]
    waits = {}
    for queue in ("fcfs", "fair"):
        with Engine(path, 1, block_size=4, n_blocks=200, queue=queue) as engine:
            engine.scheduler.n_running = 2
            waits[queue] = workload.simulate(engine, [*flood, *others])
    late = {q: max(f["users"][f"other{n}"]["first_token_s"] for n in range(3))
            for q, f in waits.items()}  # fmt: skip
    assert late["fair"] < late["fcfs"] / 3
    assert waits["fair"]["busy_s"] == waits["fcfs"]["busy_s"]


def test_a_trace_is_read_as_it_was_written_and_drawn_alike_from_one_seed(tmp_path):
    requests = workload.synthetic(n_requests=200, rate=50, seed=3)
    assert requests == workload.synthetic(n_requests=200, rate=50, seed=3)
    assert requests != workload.synthetic(n_requests=200, rate=50, seed=4)
    workload.write(tmp_path / "trace", requests)
    assert workload.read(tmp_path / "trace") == requests
    gaps = np.diff([r.at for r in requests])
    assert 0.8 / 50 < gaps.mean() < 1.25 / 50  # five standard errors of an exponential mean
    assert {r.n_prompt for r in requests} <= set(range(16, 65))
    assert [r.n_prefix for r in workload.synthetic(n_prefix=0, n_requests=3)] == [0, 0, 0]


GOOD = {"at": 1, "user": "a", "n_prompt": 4, "n_answer": 2}


@pytest.mark.parametrize(("line", "message"), [
    ("{", ":2: "), ("[1]", ":2: "),
    (json.dumps(GOOD | {"at": "soon"}), "at: got 'soon', want float"),
    (json.dumps(GOOD | {"n_prompt": 0}), "n_prompt: got 0, want at least 1"),
    (json.dumps(GOOD | {"n_answer": True}), "n_answer: got True"),
    (json.dumps(GOOD | {"at": float("nan")}), "at: got nan"),
    (json.dumps(GOOD | {"colour": 1}), "colour"), (json.dumps({"at": 1}), "missing"),
    ('{"at": ' + "[" * 100_000, ":2: "),
])  # fmt: skip
def test_a_bad_line_of_a_trace_is_named(tmp_path, line, message):
    (tmp_path / "trace").write_text(json.dumps(GOOD) + "\n" + line + "\n")
    with pytest.raises(RequestError, match="trace:2: ") as e:
        workload.read(tmp_path / "trace")
    assert message in str(e.value)


def test_impossible_numbers_are_refused_before_anything_runs(path, tmp_path):
    (tmp_path / "trace").write_text("\n")
    with pytest.raises(RequestError, match="no requests"):
        workload.read(tmp_path / "trace")
    with pytest.raises(RequestError, match="rate: got 0"):
        workload.synthetic(rate=0)
    with pytest.raises(RequestError, match="prompt: got 9 to 3"):
        workload.synthetic(prompt=(9, 3))
    with pytest.raises(RequestError, match="n_users: got 0"):
        workload.synthetic(n_users=0)
    with pytest.raises(RequestError, match="request 1 of b: 80 tokens, the context holds 64"):
        run(path, [Request(0.0, "a", 4, 2), Request(0.0, "b", 40, 40)])
