"""Drawings of the lessons show what the objects they are made from have."""

import itertools
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from course.charts import BLUE, chart, finish
from course.figures import attention, cache, debugging, layer, memory, sampling
from minengine import Engine, oracle
from minengine.formats import FORMATS
from minengine.kvcache import BlockPool
from minengine.sampling import Chain

WIDEST = 380  # points: a phone shows that much at nearly full size


@pytest.fixture(scope="module")
def engine():
    with Engine(n_threads=1) as e:
        yield e


def texts(drawing) -> list[str]:
    return [t for t in re.findall(r"<text[^>]*>([^<]*)</text>", drawing.svg) if t.strip()]


def filled(drawing, colour: str, opacity: float) -> int:
    """How many shapes have this fill."""
    return len(re.findall(rf"fill: {colour}; opacity: {opacity:g}\b", drawing.svg))


def test_a_mask_has_as_many_filled_cells_as_it_lets_pairs_through():
    mask = oracle.causal_mask(3, 7, window=4)
    drawing = attention.masks({"three new of seven": mask})
    assert filled(drawing, BLUE, 0.55) == mask.sum() == 12
    assert "12 of 21 pairs" in drawing.alt


def test_every_query_head_is_drawn_once_for_each_number_of_groups():
    found = texts(attention.grouping(8, (8, 2, 1)))
    assert all(found.count(f"q{h}") == 3 for h in range(8))
    assert [found.count(f"kv{g}") for g in (0, 1, 7)] == [3, 2, 1]


def test_block_tables_are_the_pools_own():
    pool = BlockPool(6, 4, 1, 1, 4)
    parent = []
    pool.writable(parent, 0, 6)
    child = pool.fork(parent)
    shared = cache.Snapshot.of("forked", pool, parent=(parent, 6), child=(child, 6))
    pool.writable(child, 6, 3)
    after = cache.Snapshot.of("written", pool, parent=(parent, 6), child=(child, 9))
    assert shared.references.count(2) == 2  # a snapshot does not change with the pool
    found = texts(cache.tables([shared, after]))
    assert sum("(×2)" in t for t in found) == 2 + 1
    assert sum(t == "free" for t in found) == 4 + 2
    assert f"child: 9 tokens, table {child}" in found


def test_a_map_of_a_pool_counts_what_is_popular():
    history = [[0, 1, 2, -1], [1, 1, 2, -1]]
    drawing = cache.occupancy({"lru: some found": history})
    assert "lru: some found: 62%" in drawing.alt  # five of eight
    assert {"text 1", "text 2", "once"} <= set(texts(drawing))


@pytest.mark.parametrize("name", memory.FIELDS)
def test_the_fields_of_a_block_are_its_bytes(name):
    assert sum(n for _, n in memory.FIELDS[name]) == FORMATS[name].block_bytes


@pytest.mark.parametrize("name", ["Q8_0", "Q4_0", "Q5_0", "Q4_K", "Q6_K", "Q2_K", "Q3_K"])
def test_the_scale_of_a_block_lies_where_the_map_says(name):
    """With the bytes of field d zeroed, and of dmin where there is one, every weight is zero."""
    f = FORMATS[name]
    x = np.random.default_rng(0).standard_normal(f.block_size).astype(np.float32)
    raw, at = f.quantize(x).reshape(-1).copy(), 0
    assert np.any(f.dequantize(raw))
    for field, n_bytes in memory.FIELDS[name]:
        if field in ("d", "dmin"):
            raw[at : at + n_bytes] = 0
        at += n_bytes
    assert not np.any(f.dequantize(raw))


def test_a_map_of_blocks_has_a_cell_for_every_byte():
    drawing = memory.block_maps(["Q8_0", "Q4_K"])
    legend = len(memory.MEANINGS)
    assert drawing.svg.count("opacity: 0.45") == 34 + 144
    assert drawing.svg.count("opacity: 0.5;") + drawing.svg.count('opacity: 0.5"') >= legend


def test_the_regions_of_a_file_cover_it(engine):
    parts = memory.regions(engine.model.file)
    assert parts[0].start == 0
    assert parts[-1].end <= engine.model.file.size
    for before, after in itertools.pairwise(parts):
        assert 0 <= after.start - before.end < engine.model.file.alignment
    assert sum(p.name.startswith("blk.") for p in parts) == engine.model.hparams.n_layers


def test_strides_are_drawn_from_the_view():
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    found = texts(memory.strides({"a.T": a.T}))
    assert [t for t in found if t.isdigit()] == ["0", "3", "1", "4", "2", "5"]
    assert any("strides (4, 12), not contiguous" in t for t in found)


def test_the_last_stage_of_a_chain_is_what_the_chain_leaves(engine):
    logits = engine.logits(engine.tokenize("ROMEO:\nI"))[-1]
    chain = Chain(seed=1, top_k=20, top_p=0.7, min_p=0.0, temperature=0.8)
    found = sampling.stages(chain, logits)
    assert [s.name for s in found] == ["the model", "top_k 20", "top_p 0.7", "temperature 0.8"]
    want = chain.candidates(logits)
    assert np.array_equal(found[-1].candidates.ids, want.ids)
    names = {i: str(i) for i in range(logits.size)}
    assert f"temperature 0.8: {len(want)} left" in texts(sampling.narrowing(found, names))


def test_an_error_map_says_where_it_begins():
    errors = np.zeros((3, 4))
    errors[1:, 2:] = 0.1
    drawing = debugging.error_maps({"broken": errors}, ["embed", "layer 0", "layer 1"])
    assert "wrong from layer 0 on, at 2 of 4 tokens, the first is token 2" in drawing.alt


def test_a_legend_has_the_colours_of_the_page():
    figure, axes = chart()
    axes.plot([0, 1], [0, 1], label="a line")
    axes.legend()
    svg = finish(figure, alt="a line").svg
    assert "a line" in svg
    assert "#ffffff" not in svg  # a white frame would stand out on a dark page
    assert "#000000" not in svg


def drawings_of(engine):
    m = engine.model
    yield layer.data_flow(m)
    yield layer.gates()
    kinds = ("embedding and head", "attention", "feed-forward", "norms")
    yield layer.parameters({"Llama 2 7B": dict.fromkeys(kinds, 1)})
    yield attention.grouping(8, (8, 2, 1))
    yield attention.pairings(8)
    yield attention.rotations(oracle.rope_frequencies(8, 1000.0), range(5))
    yield memory.file_map(m.file)
    yield memory.block_maps(["Q4_0", "Q6_K"])
    yield memory.roofline(1e10, 1e11, {"Q8_0 exact": [(0.5, 4e9), (16, 5e10)]})
    yield debugging.ladder()


def place_of(text: ET.Element) -> tuple[float, float] | None:
    """Where a text is anchored; None for one that is turned or a run inside another."""
    turn = text.attrib.get("transform", "")
    if "x" in text.attrib and re.match(r"(rotate\(-?0[ )]|$)", turn):
        return float(text.attrib["x"]), float(text.attrib["y"])
    at = re.fullmatch(r"translate\(([-\d.]+)[ ,]([-\d.]+)\)", turn)
    return (float(at[1]), float(at[2])) if at else None


def test_drawings_fit_a_phone_and_keep_their_text_inside(engine):
    n_looked = 0
    for drawing in drawings_of(engine):
        root = ET.fromstring(drawing.svg)
        x, y, width, height = map(float, root.attrib["viewBox"].split())
        assert width <= WIDEST, drawing.alt
        for text in root.iter("{http://www.w3.org/2000/svg}text"):
            if (place := place_of(text)) is None or not text.text:
                continue
            style = text.attrib["style"]
            size = float(re.search(r"font-size: ([\d.]+)px", style)[1])
            wide = 0.5 * size * len(text.text)  # a letter of the usual fonts
            share = {"middle": 0.5, "end": 1.0}.get(
                (re.search(r"text-anchor: (\w+)", style) or ["", ""])[1], 0.0
            )
            left = place[0] - share * wide
            assert x - 2 <= left, (text.text, left)
            assert left + wide <= x + width + 4, (text.text, left + wide, width)
            assert y <= place[1] <= y + height, (text.text, place)
            n_looked += 1
    assert n_looked > 100
