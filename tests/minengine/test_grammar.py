"""Grammars: the notation and its errors, matching against Python's own parsers, masks against
llama.cpp's, and that what is sampled fits.
"""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minengine import Engine, grammar
from minengine.errors import RequestError
from minengine.grammar import Grammar, Matcher, Vocabulary
from minengine.sampling import Chain

FOLDER = Path(grammar.__file__).parent / "grammars"
FILES = {p.stem: p.read_text(encoding="utf-8") for p in FOLDER.glob("*.gbnf")}
ALPHABET = "ab-\né日😀"
BYTES = [bytes([b]) for b in range(256)]
PIECES = [*BYTES, b"", b"", b"ab", b"aba", b"b-", "é".encode(), "aé".encode(), "日a".encode(),
          b"\xe6\x97", b"\xa5b", b"\x98\x80", b"\n\n", b"a\xf0\x9f"]  # fmt: skip
END = 256
SMALL = Vocabulary(PIECES, [END], {piece: i for i, piece in enumerate(PIECES) if piece})


def escaped(c: str) -> str:
    return "\\n" if c == "\n" else "\\-" if c == "-" else c


def classes() -> st.SearchStrategy:
    """(GBNF, regular expression) of a class."""
    chars = st.lists(st.sampled_from(ALPHABET), min_size=1, max_size=3, unique=True)
    texts = st.tuples(st.sampled_from(["", "^"]), chars.map(lambda cs: "".join(map(escaped, cs))))
    return texts.map(lambda parts: (f"[{''.join(parts)}]",) * 2)


def literals() -> st.SearchStrategy:
    texts = st.text(ALPHABET, min_size=1, max_size=3)
    return texts.map(lambda t: ('"' + t.replace("\n", "\\n") + '"', f"(?:{re.escape(t)})"))


def larger(inner: st.SearchStrategy) -> st.SearchStrategy:
    repeats = st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}"])
    return st.one_of(
        st.tuples(inner, inner).map(lambda p: tuple(" ".join(x) for x in zip(*p, strict=True))),
        st.tuples(inner, inner).map(either),
        st.tuples(inner, repeats).map(lambda p: (f"({p[0][0]}){p[1]}", f"(?:{p[0][1]}){p[1]}")),
    )


def either(pairs: tuple) -> tuple[str, str]:
    (a, x), (b, y) = pairs
    return f"({a} | {b})", f"(?:{x}|{y})"


DOT = st.just((".", "."))
PAIRS = st.recursive(st.one_of(classes(), literals(), DOT), larger, max_leaves=5)


def regular(pair: tuple[str, str]) -> tuple[Grammar, re.Pattern]:
    """A grammar and the regular expression of the same texts."""
    # a space stands between the parts of a sequence alone: no text of ours has one
    return Grammar(f"root ::= {pair[0]}"), re.compile(pair[1].replace(" ", ""), re.DOTALL)


def sampled(matcher: Matcher, seed: int, most: int = 12) -> tuple[bytes, bool]:
    """A text of random tokens that fit, and whether it came to its end."""
    rng, text = np.random.default_rng(seed), b""
    for _ in range(most):
        token = int(rng.choice(np.flatnonzero(matcher.allowed())))
        if token in matcher.vocabulary.ends:
            return text, True
        matcher.accept(token)
        text += matcher.vocabulary.pieces[token]
    return text, False


@given(PAIRS, st.text(ALPHABET, max_size=6))
@settings(max_examples=300)
def test_a_regular_grammar_matches_what_pythons_re_does(pair, text):
    ours, pattern = regular(pair)
    assert ours.matches(text) == bool(pattern.fullmatch(text))


@given(PAIRS, st.integers(0, 2**32))
@settings(deadline=None, max_examples=200)
def test_what_is_sampled_from_the_mask_matches(pair, seed):
    ours, pattern = regular(pair)
    text, ended = sampled(Matcher(ours, SMALL), seed)
    if ended:
        assert pattern.fullmatch(text.decode())


@given(PAIRS, st.integers(0, 2**32))
def test_the_whole_mask_is_what_each_token_alone_would_be_told(pair, seed):
    matcher = Matcher(regular(pair)[0], SMALL)
    sampled(matcher, seed, most=3)
    assert matcher.allowed().tolist() == [matcher.accepts(i) for i in range(len(PIECES))]


@given(st.binary(max_size=8))
def test_any_characters_are_exactly_what_is_utf8(text):
    try:
        text.decode()
        valid = True
    except UnicodeDecodeError:
        valid = False
    assert Grammar("root ::= .*").matches(text) == valid
    assert Grammar("root ::= [^é]* | [^a]* | (.* .*)").matches(text) == valid


FLOATS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(), FLOATS),
    lambda v: st.one_of(st.lists(v, max_size=3), st.dictionaries(st.text(), v, max_size=3)),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), VALUES, max_size=3), st.booleans(), st.sampled_from([None, 0]))
def test_what_json_writes_is_json(value, ascii_alone, indent):
    text = json.dumps(value, ensure_ascii=ascii_alone, indent=indent)
    assert JSON.matches(text)


@given(st.integers(0, 2**32))
@settings(max_examples=50)
def test_sampled_json_is_read_by_json(seed):
    text, ended = sampled(Matcher(JSON, SMALL), seed, most=40)
    if ended:
        assert isinstance(json.loads(text), dict)


JSON = Grammar(FILES["json"])
EXAMPLES = {
    "json": ('{"a": [1, -2.5e+3, {"b": "\\u00e9\\n"}], "c": {}}', '{"a": 01}'),
    "arithmetic": ("3 + x1 * (2 - y) = 7\n", "3 + = 7\n"),
    "list": ("- one thing\n- another\n", "- only one\n"),
    "moves": ("1. e4 e5 2. Nf3 Nc6 3. O-O Bxc3+ 1/2-1/2", "1. e9 e5 *"),
}


def test_the_grammars_of_the_package_match_what_they_are_for():
    assert set(FILES) == set(EXAMPLES)
    for name, (good, bad) in EXAMPLES.items():
        assert (name, Grammar(FILES[name]).matches(good)) == (name, True)
        assert (name, Grammar(FILES[name]).matches(bad)) == (name, False)


@given(st.text("ab", max_size=10))
def test_palindromes_which_no_regular_expression_has(text):
    ours = Grammar('root ::= p\np ::= "a" p "a" | "b" p "b" | [ab]?')
    assert ours.matches(text) == (text == text[::-1])


def test_deep_nesting_and_high_counts_cost_what_the_text_is_long():
    nested = Grammar('root ::= "(" root ")" | ""')
    assert nested.matches("(" * 3000 + ")" * 3000)
    assert not nested.matches("(" * 3000 + ")" * 2999)
    counted = Grammar("root ::= (([ab]{3,900000}){2}){700000}")
    assert not counted.matches("ab" * 20)
    assert Grammar('root ::= ("a"?){500} "b"').matches("a" * 500 + "b")
    assert not Grammar('root ::= ("a"?){500} "b"').matches("a" * 501 + "b")


def test_a_repetition_of_what_may_be_empty_ends():
    ours = Grammar('root ::= ("a"* | "b"?)* ((("c"?)+)*){2,} "d"{0}')
    assert ours.matches("")
    assert ours.matches("aabac")
    assert not ours.matches("ca")


def test_a_grammar_that_doubles_its_ways_with_every_character_is_an_error():
    ours = Grammar('root ::= a\na ::= "x" (a | b) (a | b) | ""\nb ::= "x" (a | b) (a | b) | ""')
    with pytest.raises(RequestError, match=r"can go on in \d+ ways at once, want at most 4096"):
        ours.matches("x" * 40)


def test_states_that_are_forgotten_are_found_again(monkeypatch):
    monkeypatch.setattr(grammar, "MAX_STATES", 20)
    matcher = Matcher(Grammar(FILES["json"]), SMALL)
    text, _ = sampled(matcher, 5, most=200)
    assert len(matcher.grammar._states) < 400
    long = Grammar("root ::= [a-z]{0,900}")
    assert long.matches("a" * 900)
    assert not long.matches("a" * 901)
    assert len(long._states) <= 22
    plain = Grammar(FILES["json"])
    assert (
        plain.allowed(plain.walk(plain.start, text), SMALL).tolist() == matcher.allowed().tolist()
    )


def test_a_rule_goes_on_in_groups_after_bars_and_over_comments():
    ours = Grammar(
        '# head\r\n\nroot ::= # what\n  one | # or\n  ( two # this\n\n | "3"\n )\n\n'
        'one ::= "1"#x\ntwo\t::= "2"'
    )
    assert [t for t in "0123" if ours.matches(t)] == ["1", "2", "3"]


def test_escapes_and_the_edges_of_classes():
    ours = Grammar(r'root ::= "\x41\u00e9\U0001F600\"\\\t\r\n\]" [\]\[-] [a-] [^\-a^]')
    assert ours.matches('Aé😀"\\\t\r\n][-b')
    assert not ours.matches('Aé😀"\\\t\r\n][-^')
    assert not ours.matches('Aé😀"\\\t\r\n][--')


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "got the rules none, want one root"),
        ('start ::= "a"', "got the rules start, want one root"),
        ('root = "a"', "1:6: got '=', want ::= after the name root"),
        ('root ::= "a" | x', "1:16: got 'x' in rule root, want a rule there is"),
        ('root ::= "a"\n  | "b"', r"2:3: got '|', want the name of a rule (a rule goes on over"),
        ('root ::= "a"\nroot ::= "b"', "2:1: got another one, want one definition of the rule"),
        ('root ::= "abc', '1:14: got the end, want the " that ends the text begun at 1:10'),
        ("root ::= [abc", "1:14: got the end, want the ] that ends the class begun at 1:10"),
        ('root ::= (\n"a"', r"2:4: got the end, want an item, | or ) for the ( at 1:10"),
        ('root ::= "a" )', r"1:14: got ')', want an item, | or the end of the line"),
        ("root ::= [z-a]", "1:11: got z-a, want a range that ascends"),
        ("root ::= []", "1:10: got [], want a class with characters in it"),
        ("root ::= [^\\x00-\\U0010FFFF]", "], want a class with characters in it"),
        (r'root ::= "\q"', r"1:11: got \q, want one of"),
        (r'root ::= "\x4"', r'1:11: got \x4", want 2 hexadecimal digits'),
        (r'root ::= "\ud800"', r"1:11: got \ud800, want a character of Unicode"),
        ('root ::= <\udc80>', r"1:11: got '\udc80', want a character of Unicode"),
        (r'root ::= "\U00110000"', "want a character of Unicode"),
        ('root ::= * "a"', r"1:10: got '*', want an item"),
        ('root ::= "a"{3,1}', "1:13: got {3,1}, want bounds that ascend"),
        ('root ::= "a"{,2}', "1:13: got {,2}, want {m}, {m,} or {m,n}"),
        ('root ::= "a"{2 3}', "want {m}, {m,} or {m,n}"),
        ("root ::= <think", r"1:10: got '<', want a token, such as <[7]> or <think>"),
        ("root ::= " + "(" * 70, r"1:70: got 61 levels of ( ) and repetitions, want at most 60"),
        ('root ::= "a"' + "?" * 70, "got 61 levels"),
        ('root ::= "x" | root "a"', "left recursion root -> root"),
        ('root ::= a\na ::= b "x"\nb ::= ("q"? ) c* a\nc ::= "c"', "left recursion a -> b -> a"),
        ('root ::= (c root)*\nc ::= ""', "left recursion root -> root"),
    ],
)  # fmt: skip
def test_what_is_no_grammar_is_refused_where_it_goes_wrong(text, words):
    with pytest.raises(RequestError) as refused:
        Grammar(text)
    assert words in str(refused.value)


@given(st.text('rot:=ab"[]()|*?+{},.^-\\\n #<>!é', max_size=30))
def test_no_text_is_worse_than_refused(text):
    for whole in (text, f"root ::= {text}"):
        refused = ""
        try:
            Grammar(whole).matches("ab")
        except RequestError as e:
            refused = str(e)
        assert "\n" not in refused  # one line for a terminal


def test_tokens_come_by_name_though_they_print_nothing():
    pieces = [b"a", b"b", b"", b""]
    vocabulary = Vocabulary(pieces, [3], {b"a": 0, b"b": 1, b"<think>": 2, b"</s>": 3})
    matcher = Matcher(Grammar('root ::= <think> !<[0]> "a" | "b"'), vocabulary)
    assert matcher.allowed().tolist() == [False, True, True, False]
    matcher.accept(2)
    assert matcher.allowed().tolist() == [False, True, True, False]
    matcher.accept(2)
    matcher.accept(0)
    assert matcher.allowed().tolist() == [False, False, False, True]
    for name, said in {"<[4]>": "4", "<thin>": "'<thin>'"}.items():
        with pytest.raises(RequestError, match=f"1:10: token {said}: the vocabulary has none"):
            Matcher(Grammar(f"root ::= {name}"), vocabulary)


def test_a_vocabulary_that_lacks_what_comes_next_is_an_error():
    few = Vocabulary([b"a"], [], {})
    with pytest.raises(RequestError, match="the vocabulary lacks a token that goes on"):
        Matcher(Grammar('root ::= "b"'), few).allowed()
    with pytest.raises(RequestError, match="the vocabulary lacks an end token"):
        Matcher(Grammar('root ::= ""'), few).allowed()
    with pytest.raises(RequestError, match=r"token 0, b'a', does not fit here"):
        Matcher(Grammar('root ::= "b"'), few).accept(0)


def test_a_copy_stands_where_the_first_does_and_goes_its_own_way():
    first = Matcher(Grammar('root ::= "a" ("b" | "c")'), SMALL)
    first.accept(ord("a"))
    second = copy.deepcopy(first)
    second.accept(ord("b"))
    assert (first.complete, second.complete) == (False, True)
    assert first.accepts(ord("c"))


def test_a_copy_of_a_chain_goes_on_within_the_grammar_alike():
    chain = Chain(seed=2, grammar=Matcher(Grammar(FILES["json"]), SMALL), top_k=0)
    x = np.zeros(len(PIECES))
    chain.sample(x)
    other = chain.copy()
    assert [chain.sample(x) for _ in range(6)] == [other.sample(x) for _ in range(6)]


@given(PAIRS, st.integers(0, 2**32), st.integers(0, 8))
def test_a_text_that_is_taken_back_stands_where_it_stood(pair, seed, n):
    matcher = Matcher(regular(pair)[0], SMALL)
    sampled(matcher, seed, most=6)
    kept = matcher.taken[: max(0, len(matcher.taken) - n)]
    matcher.rewind(n)
    again = Matcher(matcher.grammar, SMALL)
    for token in kept:
        again.accept(token)
    assert matcher.taken == again.taken == kept
    assert matcher.allowed().tolist() == again.allowed().tolist()


@given(st.integers(0, 2**32), st.sampled_from([0, 1, 2]), st.booleans())
@settings(max_examples=50)
def test_a_chain_writes_what_the_grammar_matches_whatever_the_samplers(seed, mirostat, greedy):
    ours = Grammar('root ::= [ab]{2,4} ("é" | "日" | "\\n"){1,3}')
    chain = Chain(
        seed=seed, grammar=Matcher(ours, SMALL), mirostat=mirostat, greedy=greedy, top_k=5
    )
    rng, text = np.random.default_rng(seed), b""
    for _ in range(30):
        token = chain.sample(rng.standard_normal(len(PIECES)).astype(np.float32) * 5)
        if token == END:
            break
        text += PIECES[token]
    assert token == END
    assert re.fullmatch("[ab]{2,4}(é|日|\n){1,3}", text.decode())


def test_a_token_that_was_refused_does_not_favour_its_neighbours():
    vocabulary = Vocabulary([b"a", b"b", b"c"], [], {})
    p, n = np.array([0.25, 0.5, 0.25]), 4000
    chain = Chain(seed=1, grammar=Matcher(Grammar("root ::= [ac]*"), vocabulary), min_p=0, top_p=1,
                  temperature=1)  # fmt: skip
    counts = np.bincount([chain.pick(np.log(p)) for _ in range(n)], minlength=3)
    # Five standard deviations of a binomial; the seed is fixed, so this can't flicker.
    assert counts[1] == 0
    assert abs(counts[0] - n / 2) < 5 * np.sqrt(n / 4)


def test_mirostat_learns_nothing_from_a_token_that_was_refused():
    x = np.log(np.array([0.98, 0.02]))
    only_b = Matcher(Grammar('root ::= "b"*'), Vocabulary([b"a", b"b"], [], {}))
    chain = Chain(seed=1, mirostat=2, mirostat_eta=0.5, temperature=1, grammar=only_b)
    assert chain.pick(x) == 1
    assert chain._end.mu == 2 * 5 + 0.5 * 5  # the one token that fits surprises by 0 bits


def test_every_token_uses_four_random_numbers_refused_or_not():
    flat, peak = np.zeros(3), np.array([0.0, 50, 0])
    vocabulary = Vocabulary([b"a", b"b", b"c"], [], {})
    not_b = Matcher(Grammar("root ::= [ac]*"), vocabulary)
    plain, mixed = (Chain(seed=5, grammar=copy.deepcopy(not_b), top_k=0) for _ in range(2))
    plain.sample(flat)
    mixed.sample(peak)
    assert [plain.sample(flat) for _ in range(5)] == [mixed.sample(flat) for _ in range(5)]


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_engine_writes_within_a_grammar(name):
    with Engine() as engine:
        ours = Grammar(FILES[name])
        for seed in range(3):
            stream = engine.generate("x", grammar=ours, seed=seed, max_tokens=150, temperature=0.5)
            text = "".join(stream)
            state = ours.walk(ours.start, text.encode())
            assert state[0]  # some text of the grammar begins so
            assert stream.sequence.reason != "end" or ours.matches(text)


def test_the_grammar_begins_after_the_prompt_which_penalties_may_see():
    with Engine() as engine:
        for penalize in (True, False):
            sequence = engine.sequence("the the", grammar='root ::= "x"', penalize_prompt=penalize)
            assert sequence.chain.history == (sequence.tokens if penalize else [])
            assert sequence.chain.grammar.state == sequence.chain.grammar.grammar.start


GOLDEN = dict(np.load(Path(__file__).resolve().parent.parent / "golden" / "grammar.npz"))


@pytest.mark.parametrize("number", range(len(GOLDEN["grammars"])))
def test_masks_are_llamacpps(number):
    """But for tokens in which the two are known to differ, see ``bench/peer_grammar.py``."""
    with Engine() as engine:
        vocabulary = engine._vocabulary
    ours, masks = Grammar(str(GOLDEN["grammars"][number])), GOLDEN["masks"]
    for which, tokens, at in json.loads(str(GOLDEN["walks"])):
        if which != number:
            continue
        matcher = Matcher(ours, vocabulary)
        for i, packed, known in zip(
            [*tokens, None], masks[at:], GOLDEN["known"][at:], strict=False
        ):
            differs = np.packbits(matcher.allowed()) ^ packed
            assert not (differs & ~known).any()
            if i is not None:
                matcher.accept(i)
    silent = {i for i, piece in enumerate(vocabulary.pieces) if len(piece) == 0}
    known = np.flatnonzero(np.unpackbits(np.bitwise_or.reduce(GOLDEN["known"]))).tolist()
    bytes_ = {i for i in known if len(vocabulary.pieces[i]) == 1}
    assert set(known) <= silent | bytes_


def test_a_grammar_that_takes_too_long_to_match_is_refused():
    many = Grammar(f"root ::= ({' | '.join(['[^x]*'] * 1000)})*")
    with pytest.raises(RequestError, match="takes more than 1048576 looks"):
        Matcher(many, SMALL).allowed()


def test_rules_that_lead_to_each_other_one_by_one_are_read_once():
    n = 3000
    rules = "".join(f"r{i} ::= r{i + 1}\n" for i in range(n))
    assert Grammar(f'root ::= r0\n{rules}r{n} ::= "a"*').matches("aa")
