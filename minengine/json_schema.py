"""JSON schemas as grammars: an answer that a program can read without a look at it.

Owns: which keywords there are and what each becomes. Must not know: matching, vocabularies. Read
before: ``gbnf.py``.

Every text of the grammar is valid under the schema; not every valid text is one of the grammar:
properties come in the order of the schema and no others do, numbers have a bounded number of
digits, and blanks stand after commas and colons alone. A keyword that is not covered is refused,
never passed over. JSON Schema, draft 2020-12.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from minengine.errors import RequestError
from minengine.gbnf import NAME

# the rules that any schema may use; escapes leave surrogates out, so a character counts as one
RULES = {
    "value": 'object | array | string | number | "true" | "false" | "null"',
    "object": '"{" (string ":" blank value ("," blank string ":" blank value)*)? "}"',
    "array": '"[" (value ("," blank value)*)? "]"',
    "string": r'"\"" char* "\""',
    "char": r'[^"\\\x00-\x1f] | "\\" (["\\/bfnrt] | "u" code)',
    "code": "[0-9a-cA-CefEF] hex{3} | [dD] [0-7] hex{2}",
    "hex": "[0-9a-fA-F]",
    "number": 'integer ("." [0-9]{1,15})? ([eE] [+-]? [0-9]{1,2})?',
    "integer": '"-"? ("0" | [1-9] [0-9]{0,14})',
    "blank": '" "?',
}
NOTES = {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly",
         "$schema", "$id", "$comment", "$defs", "definitions"}  # fmt: skip
KEYWORDS = {
    "object": {"properties", "required", "additionalProperties"},
    "array": {"items", "minItems", "maxItems"},
    "string": {"minLength", "maxLength"},
    "number": set(),
    "integer": set(),
    "boolean": set(),
    "null": set(),
}


def to_gbnf(schema: str | Mapping[str, Any] | bool) -> str:
    """The grammar of a schema, in the notation of ``gbnf.py``; a text is read as JSON.

    Errors: ``RequestError`` says where in the schema, what it got and what it wanted.
    """
    try:
        schema = json.loads(schema) if isinstance(schema, str) else schema
        writer = Writer(schema)
        rules = {"root": writer.expression(schema, "#"), **writer.rules, **RULES}
    except (ValueError, TypeError) as e:
        raise RequestError(f"json schema: want JSON: {e}") from None
    except RecursionError:
        raise RequestError("json schema: it is nested too deeply") from None
    return "".join(f"{name} ::= {rule}\n" for name, rule in rules.items())


class Writer:
    """The rules that a schema has needed so far; ``where`` is always a pointer into it."""

    def __init__(self, schema: Any) -> None:
        self.schema = schema
        self.rules: dict[str, str] = {}
        self.names = {"#": "root"}  # pointer -> rule

    def expression(self, schema: Any, where: str) -> str:
        """What a value under this schema matches."""
        if schema is True or schema == {}:
            return "value"
        if not isinstance(schema, Mapping):
            self.fail(where, schema, "a schema that something can match")
        said = schema.keys() - NOTES
        self.only(said, {"$ref", "anyOf", "enum", "const", "type"}.union(*KEYWORDS.values()), where)
        if not said:
            return "value"
        if "$ref" in said or "anyOf" in said:
            keyword, write = ("$ref", self.reference) if "$ref" in said else ("anyOf", self.any_of)
            self.only(said, {keyword}, where)
            return write(schema[keyword], f"{where}/{keyword}")
        if "enum" in said or "const" in said:
            keyword = "enum" if "enum" in said else "const"
            self.only(said, {keyword, "type"}, where)
            values = schema["enum"] if keyword == "enum" else [schema["const"]]
            return self.one_of(values, self.types(schema, where), f"{where}/{keyword}")
        types = self.types(schema, where)
        self.only(said, {"type"}.union(*(KEYWORDS[t] for t in types)), where)
        return " | ".join(getattr(self, f"{t}_of")(schema, where) for t in types)

    def named(self, schema: Any, where: str) -> str:
        """The same as one rule, so that the grammar is never nested deeply."""
        found = self.expression(schema, where)
        return found if NAME.fullmatch(found) else self.rule(found)

    def types(self, schema: Mapping, where: str) -> list[str]:
        types = schema.get("type", list(KEYWORDS) if {"enum", "const"} & schema.keys() else None)
        types = types if isinstance(types, list) else [types]
        if not types or any(not isinstance(t, str) or t not in KEYWORDS for t in types):
            self.fail(f"{where}/type", schema.get("type"), f"one of {', '.join(KEYWORDS)}")
        return types

    def reference(self, pointer: Any, where: str) -> str:
        """The rule of another part of the schema, which may contain this one."""
        if str(pointer) not in self.names:
            found = self.schema
            first, *parts = str(pointer).split("/")
            for part in parts:
                part = part.replace("~1", "/").replace("~0", "~")
                found = found.get(part) if isinstance(found, Mapping) else None
            if first != "#" or found is None:
                self.fail(where, pointer, "a part of this schema, such as #/$defs/name")
            self.names[pointer] = f"part-{len(self.names)}"
            self.rules[self.names[pointer]] = self.expression(found, pointer)
        return self.names[pointer]

    def any_of(self, schemas: Any, where: str) -> str:
        if not isinstance(schemas, list) or not schemas:
            self.fail(where, schemas, "a list of schemas")
        return " | ".join(self.named(s, f"{where}/{i}") for i, s in enumerate(schemas))

    def one_of(self, values: Any, types: list[str], where: str) -> str:
        fit = [v for v in values if type_of(v) & set(types)] if isinstance(values, list) else []
        if not fit:
            self.fail(where, values, f"a list of values, some of type {' or '.join(types)}")
        return " | ".join(literal(v) for v in fit)

    def object_of(self, schema: Mapping, where: str) -> str:
        """The properties in their order, each that is not required with a rule for what follows
        it, before and after the first comma.
        """
        properties, required = schema.get("properties", {}), schema.get("required", [])
        if schema.get("additionalProperties", False) not in (False, True):
            self.fail(f"{where}/additionalProperties", "a schema", "true or false")
        if not isinstance(properties, Mapping) or not isinstance(required, list):
            self.fail(where, "no such", "properties of schemas and a list of those required")
        missing = [name for name in required if name not in [*properties]]
        if missing:
            self.fail(f"{where}/required", missing[0], "the name of a property")
        if not properties:
            closed = "properties" in schema or schema.get("additionalProperties") is False
            return '"{}"' if closed else "object"
        first, later = '"}"', '"}"'
        for name, inner in reversed(properties.items()):
            value = self.named(inner, f"{where}/properties/{name}")
            pair = f'{literal(name)} ":" blank {value}'
            first, later = (
                self.rule(f"{start}{pair} {later}" + ("" if name in required else f" | {skipped}"))
                for start, skipped in (("", first), ('"," blank ', later))
            )
        return f'"{{" {first}'

    def array_of(self, schema: Mapping, where: str) -> str:
        item = self.named(schema.get("items", True), f"{where}/items")
        low, high = self.bounds(schema, "Items", where)
        if high == "0":
            return '"[]"'
        rest = f"{max(int(low) - 1, 0)},{int(high) - 1 if high else ''}"
        items = f'{item} ("," blank {item}){{{rest}}}'
        return f'"[" {items} "]"' if int(low) else f'"[" ({items})? "]"'

    def string_of(self, schema: Mapping, where: str) -> str:
        low, high = self.bounds(schema, "Length", where)
        return "string" if (low, high) == ("0", "") else rf'"\"" char{{{low},{high}}} "\""'

    def number_of(self, schema: Mapping, where: str) -> str:
        return "number"

    def integer_of(self, schema: Mapping, where: str) -> str:
        return "integer"

    def boolean_of(self, schema: Mapping, where: str) -> str:
        return '"true" | "false"'

    def null_of(self, schema: Mapping, where: str) -> str:
        return '"null"'

    def bounds(self, schema: Mapping, what: str, where: str) -> tuple[str, str]:
        low, high = schema.get(f"min{what}", 0), schema.get(f"max{what}")
        for n in (low, high):
            if n is not None and (not isinstance(n, int) or isinstance(n, bool) or n < 0):
                self.fail(where, f"{n!r} for min{what} or max{what}", "a whole number from 0 on")
        if high is not None and high < low:
            self.fail(where, f"max{what} {high}", f"at least min{what}, {low}")
        return str(low), "" if high is None else str(high)

    def rule(self, text: str) -> str:
        name = f"rest-{len(self.rules) + 1}"
        self.rules[name] = text
        return name

    def only(self, said: set[str], known: set[str], where: str) -> None:
        if unknown := sorted(said - known):
            self.fail(where, f"the keyword {unknown[0]}", f"{', '.join(sorted(known))} alone")

    def fail(self, where: str, got: Any, want: str) -> None:
        got = got if isinstance(got, str) else json.dumps(got, default=repr)
        raise RequestError(f"json schema {where}: got {got}, want {want}")


def type_of(value: Any) -> set[str]:
    """The names that JSON Schema has for the type of a value."""
    names = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null",
             int: "integer", float: "number"}  # fmt: skip
    found = {names.get(type(value), "")}
    return found | {"number"} if "integer" in found else found


def literal(value: Any) -> str:
    """A value of JSON as GBNF has its text."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
