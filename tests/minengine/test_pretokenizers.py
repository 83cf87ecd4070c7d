"""BPE: every pre-tokenizer against stored ids of llama.cpp, and by property."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minengine.bpe import ALPHABET, Bpe
from minengine.errors import ModelError, Unsupported
from minengine.pretokenizers import PRETOKENIZERS
from minengine.tokenizer import Tokenizer

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "pretokenizers.json"
KNOWN = json.loads(GOLDEN.read_text(encoding="utf-8"))
MERGES = KNOWN["merges"]
TOKENS = list(dict.fromkeys([*ALPHABET.values(), *(m.replace(" ", "") for m in MERGES)]))
EVERY_RULE = list({row.rules: name for name, row in PRETOKENIZERS.items()}.values())


def vocabulary(pre: str | None, **changes) -> dict:
    keys = {
        "model": "gpt2",
        "pre": pre,
        "tokens": [*TOKENS, "<|end|>"],
        "token_type": [*[1] * len(TOKENS), 3],
        "merges": MERGES,
    }
    return {f"tokenizer.ggml.{k}": v for k, v in (keys | changes).items() if v is not None}


@pytest.mark.parametrize("pre", KNOWN["ids"])
def test_every_text_has_llamacpps_tokens(pre):
    tokenizer = Tokenizer(vocabulary(pre))
    for special in (False, True):
        rows = KNOWN["ids"][pre][f"{special:d}{special:d}"]
        for text, want in zip(KNOWN["texts"], rows, strict=True):
            got = tokenizer.encode(text, add_special=special, parse_special=special)
            assert got == want, repr(text)


def test_every_rule_is_held_against_llamacpp():
    held = {PRETOKENIZERS[pre].rules for pre in KNOWN["ids"]}
    # dbrx and smaug-bpe cut as llama3 does and differ in the flags alone
    assert held == {row.rules for row in PRETOKENIZERS.values()}


@pytest.mark.parametrize("pre", EVERY_RULE)
@given(text=st.text())
def test_words_join_to_the_text_and_ids_come_back_as_it(pre, text):
    assert "".join(PRETOKENIZERS[pre].split(text)) == text
    tokenizer = Tokenizer(vocabulary(pre))
    ids = tokenizer.encode(text, add_special=False)
    assert tokenizer.decode(ids) == text
    stream = tokenizer.stream()
    assert "".join(map(stream.push, ids)) + stream.flush() == text


@given(word=st.text(st.sampled_from("abcdeĠ"), max_size=12), data=st.data())
def test_the_merge_is_the_plain_one(word, data):
    texts = st.text("abcĠ", min_size=1, max_size=2)
    pairs = data.draw(st.lists(st.tuples(texts, texts), max_size=12))
    bpe = Bpe({}, [" ".join(p).encode() for p in pairs], PRETOKENIZERS["gpt-2"])
    symbols = list(word)
    while True:  # of a pair that stands twice the first one counts
        ranks = [pairs.index(p) if p in pairs else 10**9 for p in pairwise(symbols)]
        if not ranks or min(ranks) == 10**9:
            break
        i = ranks.index(min(ranks))
        symbols[i : i + 2] = ["".join(symbols[i : i + 2])]
    assert bpe.merge([c.encode() for c in word]) == [s.encode() for s in symbols]


def test_a_control_token_in_a_text_is_text_unless_asked_for():
    tokenizer = Tokenizer(vocabulary("qwen2"))
    end = len(TOKENS)
    assert end not in tokenizer.encode("a<|end|>b")
    assert tokenizer.encode("a<|end|>b", parse_special=True).count(end) == 1


def test_phi3_special_tokens_swallow_the_space_after_them():
    metadata = vocabulary("gpt-2") | {"general.name": "Phi-3 mini"}
    tokenizer, plain = Tokenizer(metadata), Tokenizer(vocabulary("gpt-2"))
    assert tokenizer.encode("<|end|> \n a", parse_special=True) == plain.encode(
        "<|end|>a", parse_special=True
    )


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"merges": ["ab"]}, ModelError, "b'ab' at 0, want two texts"),
        ({"merges": ["a b", " b"]}, ModelError, "b' b' at 1, want two texts"),
        ({"merges": [7]}, ModelError, "merges: want strings alone"),
        ({"merges": "a b"}, ModelError, "merges: want a list of strings"),
        ({"bos_token_id": 10**6}, ModelError, "bos_token_id"),
    ],
)
def test_a_broken_vocabulary_is_refused_in_words(changes, error, words):
    with pytest.raises(error, match=words):
        Tokenizer(vocabulary("gpt-2", **changes))


def test_an_unknown_rule_is_refused_and_a_missing_one_is_the_default():
    with pytest.raises(Unsupported, match=r"pre-tokenizer \['a', 'list'\]"):
        Tokenizer(vocabulary(["a", "list"]))
    with pytest.raises(Unsupported, match="pre-tokenizer 'nonsense'"):
        Tokenizer(vocabulary("nonsense"))
    assert Tokenizer(vocabulary(None)).pre == "default"


def test_a_long_text_without_spaces_takes_no_quadratic_time():
    tokenizer = Tokenizer(vocabulary("gpt-2"))
    assert tokenizer.decode(tokenizer.encode("ab" * 20000)) == "ab" * 20000
