"""arch: the rows of the table are complete."""

from __future__ import annotations

import pytest

from minengine.arch import ARCHITECTURES
from minengine.graph import GATES
from minengine.model import FACTORS, NORMS
from minengine.random_model import VARIANTS

ROWS = pytest.mark.parametrize("arch", ARCHITECTURES.values(), ids=list(ARCHITECTURES))


@ROWS
def test_a_row_stands_under_its_own_name(arch):
    assert ARCHITECTURES[arch.name] is arch


@ROWS
def test_names_are_unique_and_shapes_use_the_known_letters(arch):
    for weights in (arch.tensors, arch.layer):
        names = [w.name for w in weights]
        assert len(set(names)) == len(names)
        for weight in weights:
            letters = {k for n in weight.shape for k in n.split("*")}
            assert letters <= set("DHGEFVR")
            assert len(weight.shape) in (1, 2)


@ROWS
def test_the_graph_knows_the_row_s_operations(arch):
    assert arch.pairing in ("norm", "neox")
    assert arch.gate in GATES


@ROWS
def test_the_loader_knows_the_norms_that_a_row_may_lack(arch):
    assert {w.name for w in arch.layer if w.name.endswith("norm")} <= set(NORMS)


@ROWS
def test_only_the_head_and_the_frequency_factors_may_be_absent(arch):
    optional = {w.name for w in (*arch.tensors, *arch.layer) if w.optional}
    assert optional <= {"output", *FACTORS}


@ROWS
def test_a_variant_of_every_row_is_held_against_llamacpp(arch):
    assert arch.name in {v.arch for v in VARIANTS.values()}
