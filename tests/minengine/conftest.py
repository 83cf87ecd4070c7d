"""A tiny random model of any architecture of the table, written as a GGUF file."""

from __future__ import annotations

import itertools

import pytest

from minengine import random_model


@pytest.fixture(scope="session")
def write_model(tmp_path_factory):
    """Function ``(arch="llama", form="F32", **options of random_model.write) -> path``."""
    folder = tmp_path_factory.mktemp("models")
    numbers = itertools.count()

    def write(arch="llama", form="F32", **options):
        path = folder / f"model{next(numbers)}.gguf"
        random_model.write(path, arch, form, **options)
        return path

    return write
