"""JSON schemas as grammars: what is written is valid, by a validator that is not ours."""

from __future__ import annotations

import json

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minengine import Engine
from minengine.errors import RequestError
from minengine.grammar import Grammar, Matcher, Vocabulary
from minengine.json_schema import to_gbnf

TEXTS = st.text('ab"\\\n\x7fé😀', max_size=3)
BYTES = Vocabulary([*(bytes([b]) for b in range(256)), b""], [256], {})


def bounded(kind: str, what: str, **more: st.SearchStrategy) -> st.SearchStrategy:
    pairs = st.tuples(st.integers(0, 3), st.integers(0, 3)).map(sorted)
    bounds = st.one_of(
        st.just({}),
        pairs.map(lambda p: {f"min{what}": p[0], f"max{what}": p[1]}),
        pairs.map(lambda p: {f"min{what}": p[0]}),
    )
    given_ = st.fixed_dictionaries({"type": st.just(kind), **more})
    return st.tuples(given_, bounds).map(lambda parts: {**parts[0], **parts[1]})


def objects(inner: st.SearchStrategy) -> st.SearchStrategy:
    def required(properties: dict) -> st.SearchStrategy:
        names = st.lists(st.sampled_from([*properties]), unique=True) if properties else st.just([])
        made = {"type": st.just("object"), "properties": st.just(properties), "required": names}
        return st.fixed_dictionaries(made, optional={"additionalProperties": st.just(False)})

    return st.dictionaries(TEXTS, inner, max_size=4).flatmap(required)


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-9, 99), TEXTS)
SIMPLE = st.one_of(
    bounded("string", "Length"),
    st.sampled_from(["number", "integer", "boolean", "null"]).map(lambda t: {"type": t}),
    st.just({"type": ["integer", "null"], "title": "a number, or none"}),
    st.lists(SCALARS, min_size=1, max_size=3).map(lambda values: {"enum": values}),
    SCALARS.map(lambda value: {"const": value}),
    st.just({"type": ["string", "integer"], "enum": ["a", 1, None, 2.5]}),
)
SCHEMAS = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        objects(inner),
        inner.flatmap(lambda item: bounded("array", "Items", items=st.just(item))),
        st.lists(inner, min_size=1, max_size=3).map(lambda schemas: {"anyOf": schemas}),
    ),
    max_leaves=6,
)


def written(grammar: Grammar, seed: int) -> str | None:
    """A random text of a grammar, byte by byte, or None where it came to no end."""
    matcher, rng, text = Matcher(grammar, BYTES), np.random.default_rng(seed), b""
    for _ in range(300):
        ways = np.flatnonzero(matcher.allowed())
        token = 256 if ways[-1] == 256 and rng.random() < 0.5 else int(rng.choice(ways))
        if token == 256:
            return text.decode()
        matcher.accept(token)
        text += bytes([token])
    return None


@given(SCHEMAS, st.integers(0, 2**32))
@settings(max_examples=200, deadline=None)
def test_what_is_written_is_valid_under_the_schema(schema, seed):
    text = written(Grammar(to_gbnf(json.dumps(schema))), seed)
    if text is not None:
        jsonschema.validate(json.loads(text), schema)


TREE = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "maxLength": 4},
                "size": {"type": "integer"},
                "parts": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            },
            "required": ["name"],
        }
    },
    "$ref": "#/$defs/node",
}


@pytest.mark.parametrize(
    ("schema", "text", "fits"),
    [
        (TREE, '{"name": "a"}', True),
        (TREE, '{"name":"a","size":-3,"parts":[{"name":"b"}, {"name":"c","parts":[]}]}', True),
        (TREE, '{"name":"abcde"}', False),
        (TREE, '{"size":1}', False),
        (TREE, '{"name":"a","parts":[1]}', False),
        ({}, '{"any":["thing",1.5e3,null]}', True),
        (True, "[]", True),
        ({"type": "object"}, '{"a":{}}', True),
        ({"type": "object", "additionalProperties": False}, "{}", True),
        ({"type": "object", "additionalProperties": False}, '{"a":1}', False),
        ({"type": "array", "maxItems": 0}, "[]", True),
        ({"type": "array", "maxItems": 0}, "[1]", False),
        ({"type": "array", "minItems": 2, "maxItems": 3}, "[1, 2, 3]", True),
        ({"type": "array", "minItems": 2}, "[1]", False),
        ({"type": "string", "minLength": 2}, r'"\u00e9\n"', True),
        ({"type": "string", "maxLength": 1}, r'"\ud83d\ude00"', False),
        ({"type": "array", "items": {"$ref": "#"}}, "[[],[[]]]", True),
        ({"const": {"a": ["b\\", 1]}}, r'{"a":["b\\",1]}', True),
    ],
)
def test_a_schema_matches(schema, text, fits):
    assert Grammar(to_gbnf(schema)).matches(text) == fits


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ("{", "json schema: want JSON: Expecting property name"),
        ('{"const": NaN}', "json schema: want JSON: Out of range float"),
        ('{"type": "text"}', "json schema #/type: got text, want one of object, array, string"),
        ('{"type": "string", "pattern": "x"}', "json schema #: got the keyword pattern, want "),
        ('{"oneOf": []}', "json schema #: got the keyword oneOf, want "),
        ('{"type": "integer", "minLength": 1}', "got the keyword minLength, want type alone"),
        ('{"anyOf": [{}, {"type": []}]}', "json schema #/anyOf/1/type: got [], want one of"),
        ('{"type": ["string", ["null"]]}', '#/type: got ["string", ["null"]], want one of object'),
        ('{"$ref": ["#"]}', '#/$ref: got ["#"], want a part of this schema'),
        ('{"type": "object", "required": [[]]}', "#/required: got [], want the name of a property"),
        ('{"anyOf": []}', "json schema #/anyOf: got [], want a list of schemas"),
        ('{"enum": [1], "type": "string"}', "#/enum: got [1], want a list of values, some of type"),
        ('{"type": "array", "items": false}', "#/items: got false, want a schema that something"),
        ('{"$ref": "#/$defs/a"}', "#/$ref: got #/$defs/a, want a part of this schema"),
        ('{"$ref": "other.json"}', "#/$ref: got other.json, want a part of this schema"),
        ('{"type": "object", "required": ["a"]}', "#/required: got a, want the name of a property"),
        ('{"type": "array", "minItems": 3, "maxItems": 1}', "got maxItems 1, want at least"),
        ('{"type": "string", "minLength": -1}', "got -1 for minLength or maxLength, want a whole"),
        ('{"items": ' * 2000 + "1" + "}" * 2000, "json schema"),
        ('{"type": "object", "additionalProperties": {"type": "null"}}', "want true or false"),
    ],
)
def test_what_is_not_covered_is_refused_where_it_stands(schema, words):
    with pytest.raises(RequestError) as refused:
        to_gbnf(schema)
    assert words in str(refused.value)


def test_the_engine_writes_what_a_schema_describes():
    with Engine() as engine:
        grammar = Grammar(to_gbnf(TREE))
        for seed in range(4):
            stream = engine.generate("x", grammar=grammar, seed=seed, max_tokens=200)
            text = "".join(stream)
            if stream.sequence.reason == "end":
                jsonschema.validate(json.loads(text), TREE)
            assert text.startswith('{"name"')
