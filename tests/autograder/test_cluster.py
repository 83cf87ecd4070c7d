"""The same on a Dask cluster: values, losses, deaths of its workers, and the marks of a class."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from pathlib import Path

import dask
import pytest
from distributed import LocalCluster

from autograder import grade, scale
from autograder.classroom import Classroom
from autograder.errors import ClusterUnavailable, CourseError

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


@pytest.fixture(scope="module")
def address(work):
    """A scheduler with two workers, as an instructor would have started them."""
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
    ):
        yield cluster.scheduler_address


def dones(function, items, cluster=None):
    found = scale.imap(function, items, jobs=2, limit_s=0.9, cluster=cluster)
    return sorted(found, key=lambda done: done.n)


@pytest.mark.parametrize(
    "name", ["slow_then_square", "die_on_two", "raise_on_two", "hang_on_two", "raise_unportable"]
)
def test_a_cluster_gives_what_local_processes_give(work, address, name):
    function = getattr(work, name)
    assert dones(function, range(5), address) == dones(function, range(5))


def test_what_is_entered_is_entered_once_in_the_process_beside_a_thread(work, address):
    values = [done.value for done in dones(work.Counts(), range(12), address)]
    calls = {pid: [c for p, c in values if p == pid] for pid in {p for p, _ in values}}
    assert len(calls) <= 2
    assert all(sorted(c) == list(range(1, len(c) + 1)) for c in calls.values())
    for pid in calls:  # and it does not outlive the run
        wait_for(lambda pid=pid: not alive(pid))


def test_an_item_whose_dask_worker_died_gets_its_value_from_another(work, address, tmp_path):
    items = ["", str(tmp_path / "flag"), "", ""]
    assert [d.value for d in dones(work.die_with_dask_worker_once, items, address)] == ["again"] * 4
    assert (tmp_path / "flag").exists()


def test_an_item_that_kills_every_dask_worker_is_set_aside_and_the_rest_has_its_values(
    work, address
):
    done = dones(work.die_with_dask_worker, range(5), address)
    assert [d.value for d in done] == [0, 1, None, 3, 4]
    assert done[2].lost == "the machines that worked on it died"


def test_an_exception_that_concerns_all_items_is_raised_from_a_cluster_too(work, address):
    with pytest.raises(ValueError, match="two"):
        list(
            scale.imap(
                work.raise_on_two, range(4), jobs=2, limit_s=9, fatal=(ValueError,), cluster=address
            )
        )


def test_leaving_early_takes_the_items_back(work, address):
    # a worker that computes is not stopped from afar: it ends at its limit
    stream = scale.imap(work.hang_on_two, [1, 2, 2, 2, 2], jobs=2, limit_s=3, cluster=address)
    assert next(stream).value == 1
    stream.close()
    assert [d.value for d in dones(work.square, range(3), address)] == [0, 1, 4]


def test_no_cluster_is_said_in_words(monkeypatch):
    monkeypatch.setattr(scale, "START_S", 0.5)
    with pytest.raises(ClusterUnavailable, match=r"no workers at tcp://127\.0\.0\.1:1"):
        dones(abs, [1], "tcp://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterUnavailable, match=r"pip install 'minengine\[cluster\]'"):
        dones(abs, [1], "local")


def test_a_class_has_the_same_records_from_a_cluster(
    address, tmp_path, tiny, tiny_sources, write_notebook
):
    rooms = []
    for name in ("local", "cluster"):
        room = Classroom(tmp_path / name)
        room.make_secret()
        room.secret_path.write_text("5e" * 32)
        for student in ("loops", "stub", "no_mean", "first_name"):
            path = room.root / "submitted" / student / tiny.id / f"{tiny.id}.ipynb"
            write_notebook(path, tiny_sources[student])
        rooms.append(room)
    grade.grade(rooms[0], tiny, jobs=1)
    summary = grade.grade(rooms[1], tiny, cluster=address)
    assert (summary.graded, summary.lost) == (4, ())
    assert facts(rooms[1], tiny) == facts(rooms[0], tiny)
    again = grade.grade(rooms[1], tiny, jobs=1)
    assert (again.graded, again.reused) == (0, 4)


def facts(room, tiny):
    return [
        {**r, "seconds": 0, "results": [{**row, "seconds": 0} for row in r["results"]]}
        for r in room.results(tiny.id)
    ]


def test_a_machine_that_would_grade_otherwise_stops_the_run(tiny):
    job = grade.Job(tiny.root, tiny.id, b"s" * 32, "none", digest=tiny.digest)
    grade.fit(job)
    with pytest.raises(CourseError, match="another version of 01_tiny"):
        grade.fit(grade.Job(tiny.root, tiny.id, b"s" * 32, "none", digest="other"))


def test_a_machine_that_does_not_see_the_submissions_gives_nobody_zero(tiny, tmp_path):
    grader = grade.Grader(grade.Job(tiny.root, tiny.id, b"s" * 32, "none"))
    gone = tmp_path / "submitted" / "ann" / tiny.id / f"{tiny.id}.ipynb"
    with pytest.raises(CourseError, match=f"does not see {gone.parent}"):
        grader(grade.Task("ann", gone))


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(condition):
    for _ in range(200):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("a process is left")
