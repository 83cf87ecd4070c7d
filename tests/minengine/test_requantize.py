"""Files in other formats: the same model, with what each format loses and no more."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from minengine import Engine, gguf
from minengine.engine import packaged_model
from minengine.errors import RequestError
from minengine.formats import FORMATS
from minengine.requantize import FALLBACK, FILE_TYPES, MIXES, fitting, formats_for, requantize

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "mixes.json"
MIXED = json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_every_format_has_its_file_type():
    assert set(FILE_TYPES) == {*FORMATS, *MIXES}


@pytest.mark.parametrize("name", FORMATS)
def test_matrices_change_and_everything_else_stays(packaged_in, name):
    path = packaged_in(name)
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
    with (
        Engine(n_threads=1, mode="exact") as packed,
        Engine(tmp_path / "twin.gguf", 1) as twin,
    ):
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


def formats_of(path) -> dict[str, str]:
    with gguf.open(path) as file:
        return {t.name: t.format for t in file.tensors.values() if len(t.shape) == 2}


def test_a_matrix_whose_rows_do_not_fit_gets_the_next_format_and_is_named(tmp_path, write_model):
    for name, instead in FALLBACK.items():
        said = requantize(write_model(), tmp_path / "x.gguf", name)
        assert said == formats_of(tmp_path / "x.gguf")
        assert set(said.values()) == {instead}
    requantize(write_model(E=10, H=4, G=2), tmp_path / "x.gguf", "Q8_0")
    assert formats_of(tmp_path / "x.gguf")["blk.0.attn_output.weight"] == "F16"


@pytest.mark.parametrize("case", MIXED)
@pytest.mark.parametrize("name", MIXES)
def test_every_matrix_gets_the_format_that_llamacpp_gives_it(case, name):
    shapes, want = MIXED[case]["shapes"], MIXED[case]["formats"][name]
    tensors = {n: SimpleNamespace(name=n, shape=s, format="F32") for n, s in shapes.items()}
    chosen = formats_for(tensors, name)
    assert [fitting(chosen[n], shape[-1]) for n, shape in shapes.items()] == want


def test_a_mix_gives_more_bits_to_the_head_and_to_half_of_the_layers(tmp_path, write_model):
    path = write_model(D=256, F=256, E=64, n_layers=16)
    assert requantize(path, tmp_path / "x.gguf", "Q4_K_M") == {}
    got = formats_of(tmp_path / "x.gguf")
    assert got["token_embd.weight"] == "Q6_K"
    for part in ("attn_v", "ffn_down"):
        rich = [i for i in range(16) if got[f"blk.{i}.{part}.weight"] == "Q6_K"]
        assert rich == [0, 1, 4, 7, 10, 13, 14, 15]
    assert {got[f"blk.{i}.attn_q.weight"] for i in range(16)} == {"Q4_K"}


def test_an_unknown_format_is_refused_and_nothing_written(tmp_path, write_model):
    with pytest.raises(RequestError, match="format 'Q3'"):
        requantize(write_model(), tmp_path / "x.gguf", "Q3")
    assert not (tmp_path / "x.gguf").exists()
