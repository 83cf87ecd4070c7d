"""repacking: a copy of the weights for speed changes no bit and says what it costs."""

from __future__ import annotations

import numpy as np
import pytest

from minengine import Engine, repacking, strips
from minengine.model import Model

COPIES = strips.CHOSEN != "portable"


@pytest.mark.parametrize("options", [{}, {"fused": True}, {"tied": False, "biases": True}])
def test_every_coded_matrix_is_copied_and_logits_keep_their_bits(write_model, options):
    path = write_model(form="Q8_0", V=320, **options)
    ids = [1, 7, 300, 12, 9]
    with Engine(path, 2) as plain, Engine(path, 2, repack=True) as copied:
        assert np.array_equal(plain.logits(ids), copied.logits(ids))
        assert np.array_equal(plain.embed(["ab"]), copied.embed(["ab"]))
        matrices = [t for layer in copied.model.layers for t in vars(layer).values()]
        matrices = [t for t in [*matrices, copied.model.output] if hasattr(t, "strips")]
        assert all((t.strips is not None) == COPIES for t in matrices)
        assert copied.model.token_embd.strips is None
        least = sum(t.data.nbytes for t in matrices) * COPIES
        assert copied.repacked_bytes == repacking.room(plain.model)
        assert least <= copied.repacked_bytes <= 2 * least + 1
        assert plain.repacked_bytes == 0


def test_float_matrices_and_the_exact_mode_take_no_copy(write_model):
    with Engine(write_model(form="F16", V=320), repack=True) as floats:
        assert floats.repacked_bytes == 0
    with Engine(mode="exact", repack=True) as exact:
        assert exact.repacked_bytes == 0


def test_a_copy_can_not_be_written_to():
    model = repacking.repacked(Model.load(Engine().model.file))
    for t in [model.output] * COPIES:
        with pytest.raises(ValueError, match="read-only"):
            t.strips[0, 0] = 1


@pytest.mark.parametrize("n_bytes", [1, 5000, (2 << 20) + 1])
def test_large_pages_begin_with_a_page_and_are_zero(n_bytes):
    memory = repacking.large_pages(n_bytes)
    assert memory.shape == (n_bytes,)
    assert memory.ctypes.data % repacking.PAGE == 0
    assert not memory.any()
    memory[-1] = 1
