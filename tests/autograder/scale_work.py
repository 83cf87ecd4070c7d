"""Functions for test_scale: what crosses to another process must be importable there."""

import os
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
