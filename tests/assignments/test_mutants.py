"""Mechanical mutants of the references: what survives the checks means the same, with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from autograder import catalog

ROOT = Path(__file__).resolve().parents[2]
COURSE = catalog.find_course(ROOT)
PROVED = [a for a in COURSE.assignments() if (ROOT / "solutions" / a / "survivors.yaml").exists()]
EVERY = {
    "05_mini_engine": 5
}  # a survivor runs a whole project through its checks: these many apart
KILLED = {
    "01_transformer_layer": "causal_mask",
    "02_kv_cache": "rewind",
    "03_sampling": "top_p",
}  # a hole of which none survives


@pytest.fixture(scope="module")
def mutants():
    return catalog._import(ROOT / "bench" / "mutants.py")


@pytest.mark.parametrize("name", PROVED)
def test_a_mutant_that_is_said_to_be_equivalent_is_one(mutants, name):
    assignment = COURSE.assignment(name)
    reasons = yaml.safe_load((ROOT / "solutions" / name / "survivors.yaml").read_text())
    every = {
        m.key: m
        for hole, s in assignment.reference.sources.items()
        for m in mutants.mutants(hole, s)
    }
    assert set(reasons) <= set(every)
    assert all(len(reason) > 20 for reason in reasons.values())
    for key in list(reasons)[:: EVERY.get(name, 1)]:
        assert mutants.judge((name, every[key])).tag == "", key


@pytest.mark.parametrize("name", KILLED)
def test_a_mutant_that_changes_the_meaning_is_killed(mutants, name):
    source = COURSE.assignment(name).reference.sources[KILLED[name]]
    for mutant in mutants.mutants(KILLED[name], source):
        assert mutants.judge((name, mutant)).tag, mutant.key


def test_the_changes_of_a_function_are_those_of_the_table(mutants):
    found = {m.key for m in mutants.mutants("f", "def f(a):\n    'text'\n    return a < 2 and a\n")}
    assert found == {
        "f: - return a < 2 and a | + return a <= 2 and a",
        "f: - return a < 2 and a | + return a >= 2 and a",
        "f: - return a < 2 and a | + return a < 3 and a",
        "f: - return a < 2 and a | + return a < 1 and a",
        "f: - return a < 2 and a | + return a < 2 or a",
        "f: - return a < 2 and a | + return None",
    }
