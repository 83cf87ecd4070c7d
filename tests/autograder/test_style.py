"""What a machine says of a text: lint that nothing in it can turn off, size, types, docstrings."""

from __future__ import annotations

import pytest

from autograder import style
from autograder.errors import AutograderError

RULES = ("E", "F", "W", "B", "C4", "PIE", "UP")
CLEAN = 'def double(x: int) -> int:\n    """Twice as much."""\n    return 2 * x\n'


def rules_of(findings):
    return [(f.hole, f.line, f.rule) for f in findings]


def test_a_clean_text_has_no_findings():
    assert style.lint({"double": CLEAN}, RULES) == []


def test_a_finding_has_its_hole_and_the_line_in_it():
    found = style.lint({"double": CLEAN, "other": "def other():\n    import os\n"}, RULES)
    assert rules_of(found) == [("other", 2, "F401")]
    assert "other, line 2: " in str(found[0])


def test_names_of_other_holes_and_np_are_known_and_others_are_not():
    found = style.lint(
        {"double": CLEAN, "o": "def o():\n    return double(np.e) + nothing\n"}, RULES
    )
    assert rules_of(found) == [("o", 2, "F821")]


def test_imports_in_the_midst_and_again_are_a_notebooks_way():
    twice = "import os\n\n\ndef f():\n    return os.name\n"
    assert style.lint({"f": twice, "g": twice.replace("def f", "def g")}, RULES) == []


@pytest.mark.parametrize("word", ["# noqa", "# ruff: noqa", "# flake8: noqa"])
def test_a_comment_turns_nothing_off(word):
    assert rules_of(style.lint({"f": f"{word}\nimport os  # noqa\n"}, RULES))[-1][2] == "F401"


def test_complexity_is_counted():
    source = "def f(x):\n" + "".join(f"    if x == {i}:\n        x += 1\n" for i in range(12))
    assert rules_of(style.lint({"f": source}, ("C901",))) == [("f", 1, "C901")]
    assert style.lint({"f": source}, ("C901",), complexity=20) == []


@pytest.mark.parametrize("source", ["def f(:\n", "(" * 5000, "-" * 100_000 + "1\n", "\x00"])
def test_a_text_that_is_no_python_is_a_finding_and_no_crash(source):
    assert style.lint({"f": source}, RULES)[0].hole == "f"
    assert style.untyped({"f": source}) == []
    assert style.undocumented({"f": source}) == []
    assert style.long_functions({"f": source}, 10) == []


def test_without_ruff_one_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr(style.shutil, "which", lambda *_, **__: None)
    with pytest.raises(AutograderError, match="pip install"):
        style.lint({"f": CLEAN}, RULES)


@pytest.mark.parametrize(
    ("source", "want"),
    [
        (CLEAN, []),
        ("def f(x):\n    raise NotImplementedError\n", ["f"]),
        ('class C:\n    def m(self):\n        "T."\n        raise NotImplementedError()\n', ["f"]),
        ("def f(x):\n    if x:\n        raise NotImplementedError\n    return 1\n", []),
        ("def f(:\n", ["f"]),
    ],
)  # fmt: skip
def test_a_hole_is_unfinished_where_a_function_does_nothing_but_raise(source, want):
    assert style.unfinished({"f": source}) == want


def test_length_leaves_signature_and_docstring_out():
    text = '    """One.\n\n    Two.\n    """\n'
    source = f"def f(\n    x,\n):\n{text}    x += 1\n    x += 2\n    return x\n"
    assert style.long_functions({"f": source}, 3) == []
    assert rules_of(style.long_functions({"f": source}, 2)) == [("f", 1, "long-function")]


def test_types_are_asked_of_what_is_public_and_of_special_methods():
    source = (
        "class C:\n"
        "    def __init__(self, a):\n        self.a = a\n"
        "    def _own(self, b):\n        return b\n"
        "    @staticmethod\n    def of(c) -> int:\n        return c\n"
        "def f(a: int, *args, k, **named) -> int:\n"
        "    def inside(z):\n        return z\n"
        "    return a\n"
        "def _private(a):\n    return a\n"
    )
    found = style.untyped({"h": source})
    assert [f.text for f in found] == [
        "__init__: no type for a, its result",
        "of: no type for c",
        "f: no type for k, args, named",
    ]


def test_docstrings_are_asked_of_what_is_public():
    source = (
        "class C:\n    def __init__(self):\n        pass\n    def m(self):\n        pass\n"
        'class _D:\n    pass\ndef f():\n    """Short."""\ndef _g():\n    pass\n'
    )
    names = [f.text.split()[0] for f in style.undocumented({"h": source})]
    assert names == ["m", "f", "C"]
