"""Many items in several processes: none can stop the others, and no process is left behind."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from autograder import scale

HERE = Path(__file__).parent


@pytest.fixture(scope="module", autouse=True)
def work():
    """The functions, importable by the workers under one name."""
    sys.path.insert(0, str(HERE))
    spec = importlib.util.spec_from_file_location("scale_work", HERE / "scale_work.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["scale_work"] = module
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(HERE))
    del sys.modules["scale_work"]
    assert children() == []


def children() -> list[str]:
    """Processes of ours that live or were not waited for, but multiprocessing's own."""
    found = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [c for c in found if b"resource_tracker" not in Path(f"/proc/{c}/cmdline").read_bytes()]


def values(done):
    return [d.value for d in done]


def test_values_come_back_in_the_order_of_the_items_and_each_is_announced(work):
    heard = []
    done = scale.map(work.slow_then_square, range(7), jobs=2, progress=lambda d: heard.append(d.n))
    assert values(done) == [n * n for n in range(7)]
    assert sorted(heard) == list(range(7))


def test_nothing_to_do_is_done_at_once(work):
    assert scale.map(work.square, [], jobs=4) == []


def test_processes_can_begin_before_it_is_known_what_they_do(work):
    pool = scale.Pool(2, 60)
    pool.begin(5, ["scale_work"])
    begun = set(map(int, children()))
    assert len(begun) == 2
    done = scale.imap(work.process_id, range(6), jobs=2, limit_s=60, pool=pool)
    assert {d.value for d in done} <= begun
    pool.begin(1, ["scale_work"])
    pool.close()
    assert children() == []


def test_no_more_processes_than_jobs_or_items(work):
    assert len(set(values(scale.map(work.process_id, range(6), jobs=2)))) <= 2
    assert os.getpid() not in values(scale.map(work.process_id, [1], jobs=1))


def test_a_worker_that_dies_costs_its_item_alone_after_a_second_try(work):
    done = scale.map(work.die_on_two, range(5), jobs=2)
    assert values(done) == [0, 1, None, 3, 4]
    assert (done[2].lost, done[2].tries) == ("the grading process ended (code 9)", 2)


def test_an_item_whose_worker_died_once_gets_its_value(work, tmp_path):
    done = scale.map(work.die_once, [str(tmp_path / "flag")], jobs=1)
    assert (done[0].value, done[0].tries) == ("second try", 2)


def test_an_item_that_hangs_is_stopped_and_the_rest_goes_on(work):
    done = scale.map(work.hang_on_two, range(5), jobs=2, limit_s=1.5)
    assert values(done) == [0, 1, None, 3, 4]
    assert "too long" in done[2].lost


def test_an_exception_costs_its_item_alone_and_is_said_in_words(work):
    done = scale.map(work.raise_on_two, range(4), jobs=2)
    assert values(done) == [0, 1, None, 3]
    assert done[2].lost.startswith("the grader failed: ValueError: two (scale_work.py:")
    assert done[2].tries == 2


def test_an_exception_that_concerns_all_items_is_raised(work):
    with pytest.raises(ValueError, match="two"):
        list(scale.imap(work.raise_on_two, range(4), jobs=2, limit_s=60, fatal=(ValueError,)))


def test_an_exception_that_cannot_cross_says_what_it_was(work):
    assert "UnportableError" in scale.map(work.raise_unportable, [1], jobs=1)[0].lost


def test_leaving_early_ends_the_workers(work):
    stream = scale.imap(work.hang_on_two, [1, 2, 2, 2], jobs=3, limit_s=60)
    assert next(stream).value == 1
    stream.close()
    assert children() == []


def test_ctrl_c_keeps_what_was_yielded_and_leaves_no_process(tmp_path):
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent(f"""
        import sys
        sys.path.insert(0, {str(HERE)!r})
        from scale_work import hang_on_two
        from autograder import scale
        if __name__ == "__main__":
            try:
                for done in scale.imap(hang_on_two, [1, 2, 2], jobs=2, limit_s=60):
                    print("kept", done.value, flush=True)
            except KeyboardInterrupt:
                print("stopped", flush=True)
        """)
    )
    child = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert child.stdout.readline() == "kept 1\n"
        os.killpg(child.pid, signal.SIGINT)
        assert child.stdout.read() == "stopped\n"
        child.wait(20)
    finally:
        child.kill()
    for _ in range(100):  # the group is empty once its last process is reaped
        try:
            os.killpg(child.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("a worker is left")
