"""A tiny random model of any architecture of the table, written as a GGUF file."""

from __future__ import annotations

import itertools

import pytest

from minengine import random_model
from minengine.engine import packaged_model
from minengine.requantize import requantize


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


@pytest.fixture(scope="session")
def packaged_in(tmp_path_factory):
    """Function ``(format) -> path``: the packaged model's weights in a format, made once."""
    folder = tmp_path_factory.mktemp("formats")

    def made(name):
        path = folder / f"{name}.gguf"
        if not path.exists():
            requantize(packaged_model() if name == "F32" else made("F32"), path, name)
        return path

    return made
