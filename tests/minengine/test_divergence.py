"""divergence: two models on one text, side by side or one of them from a file."""

from __future__ import annotations

import numpy as np
import pytest

from minengine import Engine, gguf, gguf_writer, oracle
from minengine.distributions import FORMS, Saved, is_saved, save
from minengine.divergence import compare
from minengine.engine import packaged_model
from minengine.errors import FileError, Malformed, RequestError, Truncated, Unsupported
from minengine.perplexity import chunks

TEXT = (
    "ROMEO:\nBut, soft! what light through yonder window breaks?\nIt is the east, and Juliet is "
    "the sun.\nArise, fair sun, and kill the envious moon,\nWho is already sick and pale with grief"
)
WINDOW = 24


@pytest.fixture(scope="module")
def exact():
    with Engine(n_threads=1, mode="exact") as e:
        yield e


@pytest.fixture(scope="module")
def fast():
    with Engine(n_threads=1, mode="fast") as e:
        yield e


@pytest.fixture(scope="module")
def side_by_side(exact, fast):
    return compare(fast, TEXT, exact, window=WINDOW)


@pytest.fixture
def saved(exact, tmp_path):
    """Function form -> the file of the exact model's distributions."""

    def write(form="F32"):
        save(exact, TEXT, tmp_path / "base.gguf", window=WINDOW, form=form)
        return tmp_path / "base.gguf"

    return write


def by_definition(engine):
    """Probabilities after each token that counts, and the tokens that are there: (n, V), (n,)."""
    p, targets = [], []
    for chunk in chunks(engine, TEXT, WINDOW).tolist():
        p.append(oracle.softmax(engine.logits(chunk))[WINDOW // 2 : -1])
        targets += chunk[WINDOW // 2 + 1 :]
    return np.concatenate(p), np.array(targets)


def test_every_number_is_what_its_definition_says(side_by_side, exact, fast):
    (p, at), (q, _) = by_definition(exact), by_definition(fast)
    kl = np.sum(p * np.log(p / q), axis=1)
    here = np.arange(len(at))
    p_at, q_at = p[here, at], q[here, at]
    got, root = side_by_side.summary(), np.sqrt(len(at) - 1)
    want = {
        "perplexity": np.exp(-np.log(q_at).mean()),
        "base_perplexity": np.exp(-np.log(p_at).mean()),
        "ln_ratio": np.log(p_at / q_at).mean(),
        "ln_ratio_error": np.log(p_at / q_at).std() / root,
        "kl": kl.mean(),
        "kl_error": kl.std() / root,
        "kl_median": np.median(kl),
        "kl_90": np.percentile(kl, 90),
        "kl_99": np.percentile(kl, 99),
        "kl_max": kl.max(),
        "same_top": np.mean(p.argmax(1) == q.argmax(1)),
        "delta_p": np.mean(q_at - p_at),
        "delta_p_error": np.std(q_at - p_at) / root,
        "delta_p_rms": np.sqrt(np.mean((q_at - p_at) ** 2)),
    }
    want["perplexity_error"] = want["perplexity"] * np.log(q_at).std() / root
    want["base_perplexity_error"] = want["base_perplexity"] * np.log(p_at).std() / root
    share = want["same_top"]
    want["same_top_error"] = np.sqrt(share * (1 - share)) / root
    assert (got.pop("n_tokens"), got.pop("window")) == (len(at), WINDOW)
    assert got == pytest.approx(want, rel=1e-6)


def test_perplexities_are_those_of_the_models_alone(side_by_side, exact, fast):
    got = side_by_side.summary()
    for name, engine in (("perplexity", fast), ("base_perplexity", exact)):
        alone = engine.perplexity(TEXT, method="llama.cpp", window=WINDOW)
        assert got[name] == pytest.approx(alone.perplexity, rel=1e-12)
        assert got[f"{name}_error"] == pytest.approx(alone.error, rel=1e-9)


def test_fast_mode_diverges_from_exact_mode_a_little_and_a_model_from_itself_not(
    side_by_side, exact
):
    assert 0 < side_by_side.summary()["kl"] < 1e-3
    with Engine(n_threads=2, n_batch=5, mode="exact") as same:
        nothing = compare(same, TEXT, exact, window=WINDOW)
    assert not nothing.kl.any()
    assert not nothing.delta_p.any()
    assert nothing.same_top.all()


def test_a_base_in_float32_gives_the_numbers_of_one_run_side_by_side(saved, side_by_side, fast):
    path = saved("F32")
    assert is_saved(path)
    assert not is_saved(packaged_model())
    got = compare(fast, TEXT, Saved(path))
    # a log-probability of -12 in float32 is off by 5e-7, and what they add up to is made 1 again
    np.testing.assert_allclose(got.kl, side_by_side.kl, rtol=0, atol=1e-8)
    np.testing.assert_allclose(got.base_nats, side_by_side.base_nats, rtol=0, atol=2e-6)
    assert np.array_equal(got.nats, side_by_side.nats)


def test_a_base_in_16_bits_is_half_as_large_and_as_good_as_its_steps(saved, side_by_side, fast):
    got = compare(fast, TEXT, Saved(saved("U16")))
    size16, size32 = saved("U16").stat().st_size, saved("F32").stat().st_size
    assert size16 < 0.6 * size32
    # 20 nats in 65535 steps: half a step is 1.5e-4; the divergence has its square
    np.testing.assert_allclose(got.base_nats, side_by_side.base_nats, rtol=0, atol=2e-4)
    np.testing.assert_allclose(got.kl, side_by_side.kl, rtol=0, atol=5e-6)
    assert got.summary()["kl"] == pytest.approx(side_by_side.summary()["kl"], rel=1e-2)


@pytest.mark.parametrize("name", FORMS)
def test_a_row_comes_back_as_near_as_its_form_allows(name):
    form, x = FORMS[name], np.log(oracle.softmax(np.random.default_rng(0).standard_normal(99) * 9))
    row = np.empty(form.width(99), form.dtype)
    row[:] = form.encode(x)
    assert np.abs(form.decode(row) - x).max() <= {"F32": 4e-6, "U16": np.ptp(x) / 65535}[name]
    flat = np.full(99, -np.log(99))
    row[:] = form.encode(flat)
    np.testing.assert_allclose(form.decode(row), flat, atol=1e-6)


def test_models_of_other_vocabularies_are_refused_with_what_differs(exact, write_model):
    with (
        Engine(write_model(V=320)) as small,
        pytest.raises(RequestError, match="the base has 320 tokens, the model 1024"),
    ):
        compare(exact, TEXT, small, window=WINDOW)

    def change(metadata, _):
        metadata["tokenizer.ggml.tokens"][300] = "other"

    with (
        Engine(write_model(V=320)) as a,
        Engine(write_model(V=320, change=change)) as b,
        pytest.raises(RequestError, match="token 300 is b'other' to the base and b'w41'"),
    ):
        compare(a, TEXT, b, window=WINDOW)


def test_a_base_of_another_text_or_window_is_refused(saved, fast):
    base = Saved(saved())
    with pytest.raises(RequestError, match="saved of another text, or with another tokenizer"):
        compare(fast, TEXT.replace("Juliet", "Juliat"), base)
    with pytest.raises(RequestError, match="windows of 24, the model has 1024 and windows are 16"):
        compare(fast, TEXT, base, window=16)


def rewritten(path, change):
    """The file with metadata and tensors changed."""
    with gguf.open(path) as file:
        metadata = dict(file.metadata)
        tensors = {t.name: (t.format, t.shape, np.array(t.data)) for t in file.tensors.values()}
    change(metadata, tensors)
    gguf_writer.write(path, metadata, tensors)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda m, _: m.update({"general.architecture": "llama"}), RequestError, "a model, want"),
        (lambda m, _: m.update({"distributions.version": 2}), Unsupported, "of version 2 and"),
        (
            lambda m, _: m.update({"distributions.form": "F8"}),
            Unsupported,
            "form 'F8'; this engine",
        ),
        (lambda m, _: m.pop("distributions.window"), Malformed, "window is None, want a number"),
        (lambda m, _: m.update({"distributions.window": 20}), Malformed, "no ids of windows of 20"),
        (lambda m, _: m.update({"distributions.vocab_size": 9}), Malformed, "no chunk 0 of"),
        (lambda _, t: t.pop("ids"), Malformed, "no ids of windows"),
        (lambda _, t: t.pop("chunk.1"), Malformed, r"no chunk 1 of \(11, 1024\) F32"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused_in_one_line(saved, change, error, words):
    path = saved()
    rewritten(path, change)
    with pytest.raises(error, match=words) as raised:
        Saved(path)
    assert "\n" not in str(raised.value)
    assert str(path) in str(raised.value)


def test_rows_that_are_no_distribution_are_refused_when_they_are_read(saved, fast):
    path = saved()

    def change(_, tensors):
        tensors["chunk.0"][2].view(np.float32)[:1024] += 1

    rewritten(path, change)
    with pytest.raises(Malformed, match=r"chunk 0, row 0: probabilities add up to 2\.718"):
        compare(fast, TEXT, Saved(path))


def test_a_file_cut_anywhere_is_refused(saved):
    path = saved()
    whole = path.read_bytes()
    for n in (0, 3, 30, 200, len(whole) // 2, len(whole) - 40):
        path.write_bytes(whole[:n])
        with pytest.raises((Truncated, FileError)):
            Saved(path)


def test_an_interrupted_save_leaves_no_file(exact, tmp_path):
    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save(exact, TEXT, tmp_path / "base.gguf", window=WINDOW, progress=stop)
    assert not list(tmp_path.iterdir())
    assert exact.pool.n_used == 0


def test_an_unknown_form_is_refused_before_anything_is_computed(exact, tmp_path):
    with pytest.raises(RequestError, match="form: got 'F16', want F32 or U16"):
        save(exact, TEXT, tmp_path / "base.gguf", form="F16")
