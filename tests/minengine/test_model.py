"""model: what a file must have, and the words when it does not."""

from __future__ import annotations

import numpy as np
import pytest

from minengine import gguf
from minengine.arch import ARCHITECTURES
from minengine.errors import Malformed, ModelError, NotGGUF, Unsupported
from minengine.formats import FORMATS
from minengine.model import Model


@pytest.fixture
def refuse(write_model):
    """Function (error, words, change, **sizes): a model changed so must fail to load in these
    words.
    """

    def check(error, words, change, **sizes):
        with pytest.raises(error, match=words):
            Model.load(write_model(change=change, **sizes))

    return check


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("tied", [True, False])
def test_a_model_of_every_architecture_loads(write_model, arch, tied):
    model = Model.load(write_model(arch, tied=tied))
    h = model.hparams
    sizes = (h.architecture, h.n_layers, h.D, h.H, h.G, h.E, h.F, h.V)
    assert sizes == (arch, 2, 32, 4, 2, 8, 64, 48)
    assert (h.context_length, h.n_rot) == (64, 8)
    assert len(model.layers) == 2
    heads = [w for w in ARCHITECTURES[arch].tensors if w.name == "output"]
    always, never = not heads, bool(heads) and not heads[0].optional
    assert (model.output is model.token_embd) == ((tied or always) and not never)
    assert model.n_parameters == sum(int(np.prod(t.shape)) for t in model.file.tensors.values())


def test_fused_tensors_are_cut_into_their_parts_and_nothing_is_copied(write_model):
    model = Model.load(write_model("phi3", fused=True, biases=True))
    layer, raw = model.layers[1], model.file.tensors["blk.1.attn_qkv.weight"]
    parts = np.concatenate([t.data for t in (layer.attn_q, layer.attn_k, layer.attn_v)])
    assert np.array_equal(parts.ravel(), raw.data)
    assert np.shares_memory(layer.attn_v.data, raw.data)
    assert [len(t.bias) for t in (layer.attn_q, layer.attn_k, layer.attn_v)] == [32, 16, 16]
    assert layer.ffn_gate.shape == layer.ffn_up.shape == (64, 32)


def test_windows_follow_size_and_pattern(write_model):
    size, pattern = "attention.sliding_window", "attention.sliding_window_pattern"

    def of(arch, n, **keys):
        return Model.load(write_model(arch, n_layers=n, keys=keys)).hparams.windows

    assert of("gemma2", 3) == (4096, 0, 4096)
    assert of("gemma3", 3) == (0, 0, 0)
    assert of("gemma3", 7, **{size: 8}) == (8, 8, 8, 8, 8, 0, 8)
    assert of("gemma3", 3, **{size: 8, pattern: 2}) == (8, 0, 8)
    assert of("gemma3", 2, **{size: 8, pattern: np.array([False, True])}) == (0, 8)
    assert of("olmo2", 4, **{size: 5}) == (5, 5, 5, 0)
    assert of("llama", 2, **{size: 8}) == (0, 0)
    with pytest.raises(ModelError, match="3 values for 2 layers"):
        of("gemma3", 2, **{size: 8, pattern: np.array([False, True, True])})


def test_layers_without_rotation_have_none(write_model):
    model = Model.load(write_model("smollm3", n_layers=8))
    assert [r is None for r in model.rotations] == [False, False, False, True] * 2
    off = write_model("granite", keys={"rope.scaling.finetuned": False})
    assert Model.load(off).rotations == (None, None)


def test_the_context_chooses_between_long_and_short_factors(write_model):
    path = write_model(
        "phi3", factors=("rope_factors_long", "rope_factors_short"),
        keys={"rope.scaling.type": "longrope", "rope.scaling.original_context_length": 32},
    )  # fmt: skip
    short, long = (Model.load(path, context=n).rotations[0].frequencies for n in (32, 33))
    assert np.allclose(short[0], long[0])
    assert short[-1] > 2 * long[-1]
    assert np.array_equal(Model.load(path).rotations[0].frequencies, long)


def test_nothing_of_a_matrix_is_copied(write_model):
    model = Model.load(write_model())
    assert np.shares_memory(
        model.layers[1].ffn_up.data, model.file.tensors["blk.1.ffn_up.weight"].data
    )


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_loads(write_model, form):
    sizes = {"D": 256, "H": 8, "G": 2, "E": 32, "F": 256} if FORMATS[form].block_size > 32 else {}
    model = Model.load(write_model(form=form, **sizes))
    assert model.layers[0].attn_q.format is FORMATS[form]
    assert model.layers[0].attn_norm.dtype == np.float32


def test_vectors_of_any_format_become_float32(write_model):
    def change(_, tensors):
        _, shape, raw = tensors["output_norm.weight"]
        values = FORMATS["F32"].dequantize(raw)
        tensors["output_norm.weight"] = ("F16", shape, FORMATS["F16"].quantize(values))

    model = Model.load(write_model(change=change))
    assert model.output_norm.dtype == np.float32
    assert abs(model.output_norm - 1).max() < 1


def test_a_wrong_shape_is_told_with_got_want_and_why(refuse):
    def change(_, tensors):
        tensors["blk.1.attn_q.weight"] = ("F32", (28, 32), np.zeros(28 * 32 * 4, np.uint8))

    words = r"blk\.1\.attn_q\.weight: shape \(28, 32\), want \(32, 32\) for 4 heads of 8"
    refuse(ModelError, words, change)


def test_a_vocabulary_of_another_size_than_the_embedding_is_refused(refuse):
    def change(metadata, _):
        metadata["tokenizer.ggml.tokens"] = ["a", "b"]

    refuse(ModelError, r"token_embd\.weight: shape \(48, 32\), want \(2, 32\) for 2 tokens", change)


def test_a_missing_tensor_is_named(refuse):
    refuse(
        ModelError,
        "tensor blk.1.ffn_gate.weight is missing",
        lambda _, tensors: tensors.pop("blk.1.ffn_gate.weight"),
    )


def test_extra_tensors_are_named(refuse):
    def change(_, tensors):
        tensors["blk.0.attn_norm.bias"] = ("F32", (32,), np.zeros(128, np.uint8))

    refuse(ModelError, "1 tensors that llama does not have: blk.0.attn_norm.bias", change)


def test_an_unsupported_format_is_named(refuse):
    def change(_, tensors):
        tensors["blk.0.ffn_up.weight"] = ("IQ2_S", (64, 256), np.zeros(64 * 82, np.uint8))

    refuse(
        Unsupported,
        r"blk\.0\.ffn_up\.weight: format IQ2_S; this engine has F32, F16",
        change,
        D=256,
    )


@pytest.mark.parametrize(
    ("key", "value", "error", "words"),
    [
        (
            "general.architecture",
            "mamba",
            Unsupported,
            "architecture 'mamba'; this engine has llama",
        ),
        ("general.architecture", 7, ModelError, "general.architecture is 7"),
        ("general.architecture", None, ModelError, "general.architecture is None"),
        ("split.count", 3, Malformed, "a part of 3, want a name like x-00001-of-00003"),
        ("llama.expert_count", 8, Unsupported, "mixture of experts"),
        ("llama.expert_count", np.array([1, 2]), Unsupported, "from layer to layer"),
        ("llama.block_count", None, ModelError, "llama.block_count is missing"),
        ("llama.block_count", 0, ModelError, "llama.block_count is 0, want a positive integer"),
        ("llama.block_count", -1, ModelError, "llama.block_count is -1"),
        ("llama.block_count", 2**40, ModelError, "want a positive integer"),
        ("llama.block_count", 2**31 - 1, ModelError, "tensor blk.2.attn_output.weight is missing"),
        ("llama.block_count", "two", ModelError, "is 'two'"),
        ("llama.embedding_length", True, ModelError, "embedding_length is True"),
        ("llama.attention.head_count_kv", 3, ModelError, "4 query heads do not divide among 3"),
        ("llama.attention.head_count_kv", np.array([2, 1]), Unsupported, "from layer to layer"),
        ("llama.attention.value_length", 16, Unsupported, "values of another width"),
        ("llama.rope.dimension_count", 7, ModelError, "is 7, want an even number up to 8"),
        ("llama.rope.dimension_count", 16, ModelError, "is 16, want 8"),
        ("llama.rope.freq_base", float("nan"), ModelError, "freq_base is nan"),
        ("llama.rope.freq_base", 0.0, ModelError, "freq_base is 0.0, want at least 1"),
        (
            "llama.rope.scaling.type",
            "ntk",
            Unsupported,
            "type 'ntk'; this engine has none, linear",
        ),
        ("llama.rope.scaling.type", np.array([1, 2]), Unsupported, "this engine has none, linear"),
        ("llama.rope.scaling.factor", -2.0, ModelError, "factor is -2.0"),
        ("llama.attention.layer_norm_rms_epsilon", float("inf"), ModelError, "epsilon is inf"),
        ("llama.attention.layer_norm_rms_epsilon", None, ModelError, "epsilon is missing"),
    ],
)
def test_impossible_metadata_is_refused_by_name(refuse, key, value, error, words):
    def change(metadata, _):
        if value is None:
            metadata.pop(key)
        else:
            metadata[key] = value

    refuse(error, words, change)


@pytest.mark.parametrize(
    ("arch", "keys", "words"),
    [
        ("gemma3", {"freq_base_swa": 0.0}, "rope.freq_base_swa is 0.0, want at least 1"),
        ("llama", {"freq_base": 1.0, "scaling.type": "yarn"}, "base is 1.0, yarn wants more"),
        ("llama", {"scaling.type": "yarn", "scaling.yarn_beta_fast": 0.0}, "beta_fast is 0.0"),
        ("llama", {"scaling.type": "yarn", "scaling.yarn_beta_slow": 0.0}, "beta_slow is 0.0"),
        ("llama", {"scaling.attn_factor": float("inf")}, "attn_factor is inf, want a finite"),
    ],
)
def test_a_rotation_that_is_no_number_is_refused_by_name(refuse, arch, keys, words):
    def change(metadata, _):
        metadata |= {f"{arch}.rope.{key}": value for key, value in keys.items()}

    refuse(ModelError, words, change, arch=arch)


@pytest.mark.parametrize(("key", "value"), [("factor", 1e-320), ("attn_factor", 1.7e308)])
def test_a_rotation_past_float64_is_refused(write_model, key, value):
    file = gguf.open(write_model(keys={"rope.scaling.type": "yarn"}))
    file.metadata |= {"llama.rope.scaling.factor": 4.0, f"llama.rope.scaling.{key}": value}
    with pytest.raises(ModelError, match="frequencies that are no finite numbers"):
        Model.load(file)


def test_a_scale_by_heads_wider_than_the_model_is_refused(refuse):
    refuse(ModelError, "8 does not divide among 16", None, arch="gemma2", n_layers=46, D=8, H=16)


def test_a_switch_that_is_none_is_refused_by_name(refuse):
    def change(metadata, _):
        metadata["granite.rope.scaling.finetuned"] = np.array([1, 2])

    refuse(ModelError, "finetuned is array.*, want true or false", change, arch="granite")


def test_head_counts_may_be_given_once_a_layer(write_model):
    def change(metadata, _):
        metadata["llama.attention.head_count_kv"] = np.array([2, 2], np.int32)

    assert Model.load(write_model(change=change)).hparams.G == 2


def test_frequencies_follow_base_scaling_and_factors(write_model):
    plain = Model.load(write_model()).rotations[0].frequencies
    assert np.allclose(plain, 10000.0 ** (-2 * np.arange(4) / 8), rtol=1e-15)

    def scaled(metadata, tensors):
        metadata["llama.rope.scaling.factor"] = 4.0
        factors = np.array([1, 2, 4, 8], np.float32)
        tensors["rope_freqs.weight"] = ("F32", (4,), factors.view(np.uint8))

    assert np.allclose(
        Model.load(write_model(change=scaled)).rotations[0].frequencies, plain / [4, 8, 16, 32]
    )

    def unscaled(metadata, _):
        metadata["llama.rope.scaling.factor"] = 4.0
        metadata["llama.rope.scaling.type"] = "none"

    assert np.array_equal(Model.load(write_model(change=unscaled)).rotations[0].frequencies, plain)


def test_an_open_file_may_be_given_instead_of_a_path(write_model):
    with gguf.open(write_model()) as file:
        assert Model.load(file).file is file


def test_a_model_outlives_the_closing_of_its_file(write_model):
    with gguf.open(write_model()) as file:
        model = Model.load(file)
        before = model.token_embd.dequantize()
    assert np.array_equal(model.token_embd.dequantize(), before)


def test_what_is_no_model_is_refused(tmp_path):
    path = tmp_path / "x.gguf"
    path.write_bytes(b"#!/bin/sh\n" * 10)
    with pytest.raises(NotGGUF, match=r"x\.gguf: starts with b'#!/b', want b'GGUF'"):
        Model.load(path)
