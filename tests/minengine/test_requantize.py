"""Files in other formats: the same model, with what each format loses and no more."""

from __future__ import annotations

import numpy as np
import pytest

from minengine import Engine, gguf
from minengine.engine import packaged_model
from minengine.errors import RequestError
from minengine.formats import FORMATS
from minengine.requantize import FILE_TYPES, requantize


def test_every_format_has_its_file_type():
    assert set(FILE_TYPES) == set(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_matrices_change_and_everything_else_stays(tmp_path, name):
    path = tmp_path / "model.gguf"
    requantize(packaged_model(), path, name)
    with gguf.open(packaged_model()) as old, gguf.open(path) as new:
        assert list(new.tensors) == list(old.tensors)
        for a, b in zip(old.tensors.values(), new.tensors.values(), strict=True):
            assert a.shape == b.shape
            assert b.format == (name if len(a.shape) == 2 else a.format)
            if b.format != a.format:
                values = FORMATS[a.format].dequantize(a.data)
                np.testing.assert_array_equal(FORMATS[name].quantize(values), b.data)
        changed = [k for k in old.metadata if not same(old.metadata[k], new.metadata[k])]
        assert set(changed) <= {"general.file_type"}
        assert new.metadata["general.file_type"] == FILE_TYPES[name]


def same(a, b) -> bool:
    return list(a) == list(b) if hasattr(a, "__len__") and not isinstance(a, str) else a == b


def test_the_twin_in_float32_has_the_same_logits(tmp_path):
    requantize(packaged_model(), tmp_path / "twin.gguf", "F32")
    with Engine(n_threads=1) as packed, Engine(tmp_path / "twin.gguf", 1) as twin:
        ids = packed.tokenize("ROMEO:\nBut, soft! what light")
        want = twin.logits(ids)
        # The weights are the same numbers; only the order of float32 sums may differ.
        np.testing.assert_allclose(packed.logits(ids), want, rtol=0, atol=1e-6 * np.ptp(want))


def test_a_file_can_be_requantized_onto_itself(tmp_path, write_model):
    path = write_model()
    requantize(path, tmp_path / "apart.gguf", "F16")
    requantize(path, path, "F16")
    assert path.read_bytes() == (tmp_path / "apart.gguf").read_bytes()
    assert not list(tmp_path.glob("*.part"))


def test_rows_that_are_no_whole_number_of_blocks_are_refused(tmp_path, write_model):
    with pytest.raises(RequestError, match=r"token_embd\.weight: rows of 32, Q4_K wants"):
        requantize(write_model(), tmp_path / "x.gguf", "Q4_K")
    with pytest.raises(RequestError, match="format 'Q3'"):
        requantize(write_model(), tmp_path / "x.gguf", "Q3")
    assert not (tmp_path / "x.gguf").exists()
