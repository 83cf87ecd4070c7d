"""graph: one forward pass however tokens are cut into batches, against the float64 oracle."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minengine import oracle_formats, oracle_models
from minengine.batch import Batch
from minengine.errors import RequestError
from minengine.formats import FORMATS
from minengine.graph import forward
from minengine.kvcache import BlockPool
from minengine.model import Model
from minengine.random_model import VARIANTS, YARN

IDS = np.random.default_rng(0).integers(0, 48, 40).tolist()
SIZES_256 = {"D": 256, "H": 8, "G": 2, "E": 32, "F": 512, "V": 48}


def cache_for(model, B=4, n_blocks=24, format_name="F32"):
    h = model.hparams
    return BlockPool(n_blocks, B, h.n_layers, h.G, h.E, format_name)


def run(model, ids, pool=None, cuts=(), n_threads=1, mode="exact"):
    """Logits of all ids, computed in pieces that end at the cuts."""
    pool, table, out = pool or cache_for(model), [], []
    for start, end in zip((0, *cuts), (*cuts, len(ids)), strict=True):
        pool.writable(table, start, end - start)
        batch = Batch.of([(ids[start:end], start, table)], pool.block_size, all_logits=True)
        out.append(forward(model, batch, pool, mode=mode, n_threads=n_threads))
    return np.concatenate(out)


def exact(model, ids, **options):
    """Logits by the oracle, in float64, from the file's own numbers."""
    weights = oracle_formats.weights(model.file.tensors)
    return oracle_models.forward(model.arch, model.file.metadata, weights, ids, **options)


def nrms(got, want):
    return np.sqrt(np.mean((got - want) ** 2)) / np.std(want)


@pytest.fixture(scope="module")
def model(write_model):
    return Model.load(write_model())


@pytest.fixture(scope="module")
def whole(model):
    """Logits of IDS in one batch on one thread."""
    return run(model, IDS)


@pytest.mark.parametrize("form", FORMATS)
def test_logits_are_the_oracles_for_every_format(write_model, form):
    model = Model.load(write_model(form=form, **SIZES_256))
    got, want = run(model, IDS), exact(model, IDS)
    # float32 sums in blocks of 256 against float64; measured 2e-7
    assert nrms(got, want) < 2e-6


def test_an_untied_head_is_used(write_model):
    model = Model.load(write_model(tied=False))
    assert nrms(run(model, IDS), exact(model, IDS)) < 2e-6


@pytest.mark.parametrize(("H", "G"), [(4, 4), (4, 1), (1, 1)])
def test_any_grouping_of_heads_is_the_oracles(write_model, H, G):
    model = Model.load(write_model(H=H, G=G, E=8, D=32))
    assert nrms(run(model, IDS), exact(model, IDS)) < 2e-6


@pytest.mark.parametrize("name", VARIANTS)
def test_logits_are_the_oracles_for_every_variant_of_every_architecture(write_model, name):
    row = VARIANTS[name]
    model = Model.load(write_model(row.arch, keys=row.keys, **{"E": 64} | row.options))
    # float32 sums through up to 7 layers against float64; measured 9e-8 to 5e-7
    assert nrms(run(model, IDS), exact(model, IDS)) < 5e-6


SELDOM = {  # keys that files may have and no variant has
    "windows listed": ("gemma3", {"attention.sliding_window_pattern": np.array([False, True] * 2)}),
    "no dense layer": ("gemma3", {"attention.sliding_window_pattern": 0}),
    "another base in windows": ("gemma3", {"rope.freq_base_swa": 500.0}),
    "scaled windows of another base": (
        "gemma2", {"rope.freq_base_swa": 500.0, "rope.scaling.factor": 4.0},
    ),
    "a base for windows that means nothing": ("olmo2", {"rope.freq_base_swa": 500.0, **YARN}),
    "no cap of scores": ("gemma2", {"attn_logit_softcapping": 0.0}),
    "the old name of the factor": ("llama", {"rope.scale_linear": 4.0}),
    "a factor that is off": ("llama", {"rope.scaling.type": "none", "rope.scaling.factor": 4.0}),
    "yarn's own corners": (
        "llama",
        {**YARN, "rope.scaling.yarn_beta_fast": 4.0, "rope.scaling.yarn_beta_slow": 0.5,
         "rope.scaling.attn_factor": 1.3},
    ),
    "scales of zero are none": (
        "granite", {"attention.scale": 0.0, "residual_scale": 0.0, "embedding_scale": 0.0},
    ),
    "partial rotary": ("qwen3", {"rope.dimension_count": 16}),
}  # fmt: skip


@pytest.mark.parametrize("name", SELDOM)
def test_keys_that_are_seldom_there_mean_the_same_to_the_oracle(write_model, name):
    arch, keys = SELDOM[name]
    window = {"attention.sliding_window": 8}
    model = Model.load(write_model(arch, n_layers=4, E=32, tied=False, keys=window | keys))
    assert nrms(run(model, IDS), exact(model, IDS)) < 5e-6


@pytest.mark.parametrize("name", VARIANTS)
def test_fast_mode_is_the_oracle_with_rounded_activations(write_model, name):
    row = VARIANTS[name]
    sizes = {"D": 64, "E": 64} | row.options
    model = Model.load(write_model(row.arch, "Q8_0", keys=row.keys, **sizes))
    coded = {t.name for t in model.file.tensors.values() if FORMATS[t.format].has_codes}
    got, rounded = run(model, IDS[:12], mode="fast"), exact(model, IDS[:12], rounds=coded)
    errors = [nrms(a, b) for a, b in zip(got, rounded, strict=True)]
    # As near as the exact modes are, until the last bit of a float32 sum tips a code to its
    # neighbour; from there on a text goes its own way. Half of it is before that in every variant.
    assert np.median(errors) < 5e-6
    assert nrms(got, exact(model, IDS[:12])) > 1e-3


@pytest.mark.parametrize(("arch", "n_layers"), [("gemma2", 46), ("gemma3", 62)])
def test_the_largest_gemmas_scale_their_scores_by_another_width(write_model, arch, n_layers):
    model = Model.load(write_model(arch, n_layers=n_layers, D=32, H=4, E=32))
    got = run(model, IDS, cache_for(model, n_blocks=12))
    # 62 layers add up more roundings than seven
    assert nrms(got, exact(model, IDS)) < 2e-5
    smaller = Model.load(write_model(arch, n_layers=2, D=32, H=4, E=32)).hparams
    assert (model.hparams.attention_scale, smaller.attention_scale) == (1 / np.sqrt(32 / 4), 0)


def test_factors_follow_the_context_in_the_oracle_too(write_model):
    row = VARIANTS["phi3 longrope, partial"]
    path = write_model(row.arch, keys=row.keys, **{"E": 64} | row.options)
    for context in (16, 17):
        model = Model.load(path, context=context)
        assert nrms(run(model, IDS), exact(model, IDS, context=context)) < 5e-6
        assert nrms(run(model, IDS), exact(model, IDS, context=33 - context)) > 1e-2


@pytest.mark.parametrize("form", FORMATS)
def test_token_by_token_gives_the_bits_of_one_batch(write_model, form):
    model = Model.load(write_model(form=form, **SIZES_256))
    whole = run(model, IDS[:12])
    assert np.array_equal(run(model, IDS[:12], cuts=range(1, 12)), whole)


@settings(max_examples=25)
@given(cuts=st.sets(st.integers(1, 39)), n_threads=st.integers(1, 4), B=st.integers(1, 17))
def test_no_cut_of_a_prompt_and_no_number_of_threads_changes_a_bit(
    model, whole, cuts, n_threads, B
):
    got = run(model, IDS, cache_for(model, B, 60), sorted(cuts), n_threads)
    if B == 4:
        assert np.array_equal(got, whole)
    else:  # another block size sums the attention in another order
        assert nrms(got, whole) < 2e-6


def test_sequences_in_one_batch_give_the_bits_they_give_alone(model):
    texts = [IDS[:9], IDS[20:21], IDS[5:17], IDS[:30]]
    pool, tables = cache_for(model), [[] for _ in texts]
    for table, ids in zip(tables, texts, strict=True):
        pool.writable(table, 0, len(ids))
    pieces = [(ids, 0, table) for ids, table in zip(texts, tables, strict=True)]
    got = forward(model, Batch.of(pieces, pool.block_size), pool)
    assert got.shape == (4, 48)
    for row, ids in zip(got, texts, strict=True):
        assert np.array_equal(row, run(model, ids)[-1])


def test_prompts_and_single_tokens_may_share_a_batch(model):
    pool, a, b = cache_for(model), [], []
    pool.writable(a, 0, 10)
    forward(model, Batch.of([(IDS[:10], 0, a)], 4), pool)
    pool.writable(a, 10, 1)
    pool.writable(b, 0, 7)
    got = forward(model, Batch.of([(IDS[10:11], 10, a), (IDS[30:37], 0, b)], 4), pool)
    assert np.array_equal(got[0], run(model, IDS[:11])[-1])
    assert np.array_equal(got[1], run(model, IDS[30:37])[-1])


def test_a_shared_prefix_is_computed_once(model):
    pool, table = cache_for(model), []
    pool.writable(table, 0, 10)
    forward(model, Batch.of([(IDS[:10], 0, table)], 4), pool)
    other = pool.fork(table)
    for which, ids in ((table, IDS[10:13]), (other, IDS[20:23])):
        pool.writable(which, 10, 3)
        got = forward(model, Batch.of([(ids, 10, which)], 4), pool)
        assert np.array_equal(got[0], run(model, IDS[:10] + ids)[-1])
    assert pool.counters.copied == 1


def test_where_the_blocks_lie_does_not_change_a_bit(model, whole):
    pool, table = cache_for(model), [17, 3, 11, 0, 23, 8, 1, 2, 22, 5]
    got = forward(model, Batch.of([(IDS, 0, table)], 4, all_logits=True), pool)
    assert np.array_equal(got, whole)


def test_only_the_wanted_rows_come_back_in_the_wanted_order(model, whole):
    pool, table = cache_for(model), []
    pool.writable(table, 0, 40)
    batch = Batch.of([(IDS, 0, table)], 4, all_logits=True)
    batch = dataclasses.replace(batch, rows=np.array([7, 39, 0], np.int32))
    assert np.array_equal(forward(model, batch, pool), whole[[7, 39, 0]])


def test_a_quantized_cache_costs_little(write_model):
    model = Model.load(write_model(**SIZES_256))
    want = run(model, IDS)
    for format_name, most in (("F16", 2e-3), ("Q8_0", 2e-2)):
        got = run(model, IDS, cache_for(model, format_name=format_name))
        assert 0 < nrms(got, want) < most


def test_weights_that_are_no_numbers_give_logits_that_are_none(write_model):
    def change(_, tensors):
        tensors["blk.0.ffn_up.weight"][2][:] = 0xFF
        tensors["blk.1.attn_k.weight"][2][0, :4] = [0, 0, 0x80, 0x7F]

    got = run(Model.load(write_model(change=change)), IDS)
    assert np.isnan(got).all()


@pytest.mark.parametrize("token", [-1, 48, 2**31 - 1])
def test_a_token_outside_the_vocabulary_is_refused(model, token):
    pool, table = cache_for(model), [0]
    with pytest.raises(RequestError, match=rf"token {token} at 1, want 0 \.\. 47"):
        forward(model, Batch.of([([1, token], 0, table)], 4), pool)


def test_a_cache_of_another_model_is_refused(model):
    with pytest.raises(RequestError, match="the model wants"):
        forward(model, Batch.of([([1], 0, [0])], 4), BlockPool(4, 4, 3, 2, 8))


def test_a_piece_without_room_is_refused():
    for piece in (([], 0, [0]), ([1] * 5, 0, [0]), ([1], 4, [0]), ([1], -1, [0])):
        with pytest.raises(RequestError, match="in 1 blocks of 4"):
            Batch.of([piece], 4)
