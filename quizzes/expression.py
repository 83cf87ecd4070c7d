"""Arithmetic over a question's parameters, as bank files write it: ``H // G``, ``2 * i + 1``.

Owns: which expressions exist and what they mean. Must not know: questions, YAML. Read before:
nothing. No calls, no attributes, no subscripts: what a bank can compute beyond this is a row of
``ANSWERS``.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Mapping
from dataclasses import dataclass

OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
}
COMPARISONS = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


@dataclass(frozen=True)
class Expression:
    """A parsed expression and the parameters it needs."""

    text: str
    names: frozenset[str]
    tree: ast.expr

    def value(self, parameters: Mapping[str, object]) -> object:
        """Its value with these parameters; ArithmeticError or TypeError where it has none."""
        return evaluate(self.tree, parameters)


def parse(text: str) -> Expression:
    """The expression that ``text`` writes; ValueError says which part is not allowed."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError):
        raise ValueError(f"{text!r} is not an expression") from None
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Constant):
            if not isinstance(node.value, int | float | str):
                raise ValueError(f"{text!r}: {node.value!r} is neither a number nor a text")
        elif not isinstance(node, ALLOWED) and type(node) not in OPERATORS | COMPARISONS:
            raise ValueError(f"{text!r}: {type(node).__name__} is not allowed in an expression")
    return Expression(text, frozenset(names), tree)


ALLOWED = (ast.BinOp, ast.UnaryOp, ast.Compare, ast.Tuple, ast.Load)


def evaluate(node: ast.expr, parameters: Mapping[str, object]) -> object:
    """The value of one node of a tree that ``parse`` allowed."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return parameters[name]
        case ast.Tuple(elts=parts):
            return tuple(evaluate(part, parameters) for part in parts)
        case ast.UnaryOp(op=op, operand=operand):
            return OPERATORS[type(op)](evaluate(operand, parameters))
        case ast.BinOp(left=left, op=op, right=right):
            return OPERATORS[type(op)](evaluate(left, parameters), evaluate(right, parameters))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return COMPARISONS[type(op)](evaluate(left, parameters), evaluate(right, parameters))
    raise ValueError(f"a comparison has two sides: {ast.unparse(node)}")
