"""Functions for test_scale: what crosses to another process must be importable there."""

import os
import signal
import time
from pathlib import Path


def square(n):
    return n * n


def slow_then_square(n):
    time.sleep(0.05 * (n % 3))
    return n * n


def raise_on_two(n):
    if n == 2:
        raise ValueError("two")
    return n


class UnportableError(Exception):
    def __init__(self, a, b):
        super().__init__(a)


def raise_unportable(n):
    raise UnportableError(1, 2)


def die_on_two(n):
    if n == 2:
        os._exit(9)
    return n


def die_once(path):
    if not Path(path).exists():
        Path(path).touch()
        os._exit(9)
    return "second try"


def hang_on_two(n):
    if n == 2:
        time.sleep(3600)
    return n


def process_id(n):
    return os.getpid()


def die_with_dask_worker_once(path):
    """The first time, on a path, the Dask worker beside which we work is killed too."""
    if path and not Path(path).exists():
        Path(path).touch()
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    return "again"


def die_with_dask_worker(n):
    if n == 2:
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    return n


class Counts:
    """Entered once a process; says which and how often it was called there."""

    def __enter__(self):
        self.calls = 0
        return self

    def __exit__(self, *_):
        pass

    def __call__(self, n):
        self.calls += 1
        return os.getpid(), self.calls
