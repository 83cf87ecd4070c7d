"""The SPM tokenizer: against a naive merge, by property, and at its doors."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minengine.errors import EngineError, ModelError, RequestError, Unsupported
from minengine.spm import characters
from minengine.tokenizer import (
    BYTE,
    CONTROL,
    NORMAL,
    SPACE,
    UNKNOWN,
    UNUSED,
    USER_DEFINED,
    Tokenizer,
)

BYTES = [f"<0x{b:02X}>" for b in range(256)]
FIRST = 3 + 256  # id of the first piece, after <unk> <s> </s> and the bytes
ANY_TEXT = st.text().filter(lambda s: "\u2581" not in s)


def metadata(pieces: dict[str, float], extra: dict[str, int] | None = None, **keys) -> dict:
    """A vocabulary of 3 special tokens, 256 bytes, ``pieces`` with scores, ``extra`` with types."""
    extra = extra or {}
    found = {
        "model": "llama",
        "tokens": ["<unk>", "<s>", "</s>", *BYTES, *pieces, *extra],
        "scores": [*[0.0] * FIRST, *pieces.values(), *[0.0] * len(extra)],
        "token_type": [
            UNKNOWN,
            CONTROL,
            CONTROL,
            *[BYTE] * 256,
            *[NORMAL] * len(pieces),
            *extra.values(),
        ],
        "add_space_prefix": False,
        **keys,
    }
    return {f"tokenizer.ggml.{name}": value for name, value in found.items() if value is not None}


def ranked(*pieces: str) -> dict[str, float]:
    return {piece: -float(rank) for rank, piece in enumerate(pieces)}


PLAY = ranked("▁t", "he", "▁the", "th", ":\n", "\n\n", "re", "▁", *"thero :\n,.eIaé한")


def naive(tokenizer: Tokenizer, text: bytes) -> list[int]:
    """Merge the best adjacent pair again and again: the meaning of ``spm``, quadratic."""
    text = text.replace(b" ", SPACE)
    symbols = [text[a:b] for a, b in pairwise([*characters(text), len(text)])]
    while True:
        joined = [a + b for a, b in pairwise(symbols)]
        pairs = [
            (-tokenizer.scores[tokenizer.ids[j]], n)
            for n, j in enumerate(joined)
            if j in tokenizer.ids
        ]
        if not pairs:
            break
        at = min(pairs)[1]
        symbols[at : at + 2] = [joined[at]]
    return [
        i
        for s in symbols
        for i in ([tokenizer.ids[s]] if s in tokenizer.ids else [tokenizer.byte_ids[b] for b in s])
    ]


@st.composite
def vocabularies(draw):
    """Random pieces over few letters with scores that often tie, so that order matters."""
    letters = "ab▁é"
    pieces = draw(st.lists(st.text(letters, min_size=1, max_size=5), unique=True, max_size=40))
    pieces = list({"▁": 0} | dict.fromkeys(pieces))  # every SPM vocabulary has a token for a space
    scores = draw(
        st.lists(st.integers(-4, 0), min_size=len(pieces), max_size=len(pieces)).map(
            lambda s: [float(x) for x in s]
        )
    )
    return Tokenizer(metadata(dict(zip(pieces, scores, strict=True))))


@given(vocabularies(), st.text("ab é😀", max_size=40))
def test_the_heap_merges_as_the_naive_loop_does(tokenizer, text):
    assert tokenizer.encode(text, add_special=False) == naive(tokenizer, text.encode())


@given(vocabularies(), st.binary(max_size=40))
def test_any_bytes_are_encoded_and_come_back(tokenizer, raw):
    # A space after half a character is cut like any other byte, so it does not come back as one.
    raw = raw.replace(SPACE, b"?").replace(b" ", b"?")
    assert tokenizer.decode_bytes(tokenizer.encode(raw)) == raw


@given(ANY_TEXT, st.booleans(), st.booleans())
def test_text_comes_back_as_it_was(text, prefix, add_bos):
    tokenizer = Tokenizer(metadata(PLAY, add_space_prefix=prefix, add_bos_token=add_bos))
    assert tokenizer.decode(tokenizer.encode(text)) == text


@given(st.lists(st.integers(0, FIRST + len(PLAY) - 1), max_size=60))
def test_streamed_pieces_join_to_the_whole_and_are_whole_characters(ids):
    tokenizer = Tokenizer(metadata(PLAY))
    stream = tokenizer.stream()
    pieces = [stream.push(i) for i in ids]
    assert "".join(pieces) + stream.flush() == tokenizer.decode(ids)


@given(ANY_TEXT)
def test_a_valid_text_streams_without_a_replacement_character(text):
    tokenizer = Tokenizer(metadata(PLAY))
    stream = tokenizer.stream()
    pieces = [stream.push(i) for i in tokenizer.encode(text)]
    assert "".join(pieces) == text
    assert stream.flush() == ""


def test_a_character_of_four_byte_tokens_waits_for_its_last_byte():
    tokenizer = Tokenizer(metadata(PLAY))
    stream = tokenizer.stream()
    ids = tokenizer.encode("😀", add_special=False)
    assert [tokenizer.texts[i] for i in ids] == [b"<0xF0>", b"<0x9F>", b"<0x98>", b"<0x80>"]
    assert [stream.push(i) for i in ids] == ["", "", "", "😀"]


def test_half_a_character_at_the_end_is_flushed_as_a_replacement():
    tokenizer = Tokenizer(metadata(PLAY))
    stream = tokenizer.stream()
    assert stream.push(tokenizer.byte_ids[0xF0]) == ""
    assert stream.flush() == "\ufffd"


def test_equal_scores_merge_leftmost_first():
    tokenizer = Tokenizer(metadata({"a": -9.0, "aa": -1.0}))
    a, aa = FIRST, FIRST + 1
    assert tokenizer.encode("aaa", add_special=False) == [aa, a]
    assert tokenizer.encode("aaaa", add_special=False) == [aa, aa]


def test_the_highest_score_merges_first_wherever_it_stands():
    tokenizer = Tokenizer(metadata({"a": -9.0, "b": -9.0, "c": -9.0, "ab": -2.0, "bc": -1.0}))
    assert [tokenizer.texts[i] for i in tokenizer.encode("abc", add_special=False)] == [b"a", b"bc"]


@given(st.binary(max_size=40))
def test_half_characters_and_spaces_in_any_order_are_encoded(raw):
    tokenizer = Tokenizer(metadata(PLAY))
    assert len(tokenizer.decode_bytes(tokenizer.encode(raw))) >= len(raw)


def test_a_space_is_u2581_and_u2581_comes_back_as_a_space():
    tokenizer = Tokenizer(metadata(PLAY))
    assert tokenizer.encode(" the", add_special=False) == [tokenizer.ids["▁the".encode()]]
    assert tokenizer.decode(tokenizer.encode("▁")) == " "


def test_the_empty_text_is_bos_alone_and_nothing_without_special_tokens():
    tokenizer = Tokenizer(metadata(PLAY, add_space_prefix=True))
    assert tokenizer.encode("") == [1]
    assert tokenizer.encode("", add_special=False) == []
    assert tokenizer.decode([]) == ""


def test_eos_is_added_where_the_file_asks_for_it():
    tokenizer = Tokenizer(metadata(PLAY, add_eos_token=True, add_bos_token=False))
    assert tokenizer.encode("e")[-1] == 2
    assert tokenizer.encode("e")[0] != 1


def test_a_control_token_in_a_text_is_text_unless_asked_for():
    tokenizer = Tokenizer(metadata(PLAY))
    forged = tokenizer.encode("</s>I", add_special=False)
    assert 2 not in forged
    assert tokenizer.decode(forged) == "</s>I"
    parsed = tokenizer.encode("I</s>I<unk>", add_special=False, parse_special=True)
    assert parsed == [tokenizer.ids[b"I"], 2, tokenizer.ids[b"I"], 0]


def test_a_user_defined_token_is_always_cut_out_and_the_longest_text_wins():
    extra = {"<x>": USER_DEFINED, "<x><x>": USER_DEFINED, "the": UNUSED}
    tokenizer = Tokenizer(metadata(PLAY, extra))
    short, double = tokenizer.ids[b"<x>"], tokenizer.ids[b"<x><x>"]
    assert tokenizer.encode("<x><x><x>", add_special=False) == [double, short]
    assert tokenizer.decode([double, short]) == "<x><x><x>"
    assert tokenizer.decode([tokenizer.ids[b"the"]]) == ""


def test_a_space_is_put_before_a_fragment_that_follows_a_special_token():
    tokenizer = Tokenizer(metadata(PLAY, add_space_prefix=True))
    ids = tokenizer.encode("the</s>the", parse_special=True)
    the = tokenizer.ids["▁the".encode()]
    assert ids == [1, the, 2, the]


def test_without_a_byte_token_the_byte_itself_or_the_unknown_token_stands_in():
    tokens = ["<unk>", "<s>", "</s>", "a", "~"]
    keys = {"tokens": tokens, "scores": None, "token_type": [UNKNOWN, CONTROL, CONTROL, 1, 1]}
    tokenizer = Tokenizer(metadata({}, **keys))
    assert tokenizer.encode("a~é", add_special=False) == [3, 4, 0, 0]


def test_lone_surrogates_and_escaped_bytes_are_encoded():
    tokenizer = Tokenizer(metadata(PLAY))
    assert tokenizer.decode_bytes(tokenizer.encode("a\udcff")) == b"a\xff"
    assert tokenizer.decode_bytes(tokenizer.encode("a\ud800")) == b"a\xed\xa0\x80"


def test_end_tokens_are_eos_eot_eom_and_the_known_texts():
    extra = {"<|im_end|>": NORMAL, "<stop>": CONTROL}
    n = FIRST + len(PLAY)
    tokenizer = Tokenizer(metadata(PLAY, extra, eot_token_id=n + 1))
    assert tokenizer.ends == {2, n, n + 1}
    assert tokenizer.piece(n) == b""


def test_marks_of_code_models_are_control_and_three_of_them_end():
    texts = [
        "<fim_prefix>",
        "<|fim_suffix|>",
        "<MID>",
        "<fim_pad>",
        "<|repo_name|>",
        "<|file_sep|>",
    ]
    tokenizer = Tokenizer(metadata({}, dict.fromkeys(texts, NORMAL)))
    assert tokenizer.ends == {2, FIRST + 3, FIRST + 4, FIRST + 5}
    assert [tokenizer.piece(FIRST + i) for i in range(6)] == [b""] * 6
    named = Tokenizer(
        metadata({}, dict.fromkeys(texts, NORMAL), fim_pad_token_id=5, prefix_token_id=6)
    )
    assert named.ends == {2, 5, FIRST + 4, FIRST + 5}  # the key counts, not the text
    assert [named.piece(FIRST), named.piece(FIRST + 3)] == [b"<fim_prefix>", b"<fim_pad>"]


@pytest.mark.parametrize(
    ("keys", "error", "words"),
    [
        ({"model": "bert"}, Unsupported, "'bert'"),
        ({"model": None}, ModelError, "tokenizer.ggml.model: missing"),
        ({"tokens": None}, ModelError, "tokenizer.ggml.tokens"),
        ({"tokens": [1, 2, 3]}, ModelError, "want strings"),
        ({"scores": [0.0]}, ModelError, "tokenizer.ggml.scores"),
        ({"scores": [float("nan")] * FIRST}, ModelError, "tokenizer.ggml.scores"),
        ({"token_type": ["a"] * FIRST}, ModelError, "tokenizer.ggml.token_type"),
        ({"token_type": [BYTE] * FIRST}, ModelError, "byte token b'<unk>'"),
        ({"bos_token_id": 10**6}, ModelError, "bos_token_id: 1000000"),
        ({"eos_token_id": "2"}, ModelError, "eos_token_id: '2'"),
    ],
)
def test_a_vocabulary_that_does_not_fit_is_refused_by_name(keys, error, words):
    with pytest.raises(error, match=words):
        Tokenizer(metadata({}, **keys))


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 2**40),
    st.floats(),
    st.text(max_size=3),
    st.lists(st.integers(-3, 300), max_size=3),
    st.lists(st.text(max_size=3), max_size=3),
    st.just(np.arange(3)),
    st.just(np.zeros(FIRST, np.float32)),
)
KEYS = "model tokens scores token_type bos_token_id eos_token_id eot_token_id unknown_token_id"


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from([*KEYS.split(), "add_bos_token"]), JUNK, min_size=1))
def test_whatever_a_file_says_it_is_loaded_or_refused_in_words(keys):
    try:
        tokenizer = Tokenizer(metadata({}, **keys))
    except EngineError:
        return
    tokenizer.decode(tokenizer.encode("a é </s>", parse_special=True))


def test_an_id_outside_the_vocabulary_is_refused():
    tokenizer = Tokenizer(metadata({}))
    for i in (-1, FIRST):
        with pytest.raises(RequestError, match=f"token id {i}"):
            tokenizer.decode([i])
