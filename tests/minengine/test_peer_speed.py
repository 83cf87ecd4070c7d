"""How speed is compared: which samples count, what a step must do at least, files of large shapes;
and that a contestant answers.
"""

from __future__ import annotations

import csv
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from minengine import Engine
from minengine.engine import packaged_model

BENCH = Path(__file__).resolve().parents[2] / "bench"
SIZES = {"n_layers": 8, "D": 256, "H": 4, "G": 2, "E": 64, "F": 512, "V": 300}


@pytest.fixture(scope="module", autouse=True)
def path():
    """The benches import each other as scripts do."""
    sys.path.insert(0, str(BENCH))
    yield
    sys.path.remove(str(BENCH))


@pytest.fixture(scope="module")
def turns(path):
    import turns

    return turns


@pytest.fixture
def quiet(turns):
    """A sample that nothing disturbed."""
    return turns.Sample(
        model="m", phase="decode", threads=1, side="minengine", n_sequences=1, depth=8, n_tokens=4,
        n_steps=4, block_size=32, seconds=2.0, wall=2.0, got=1.0, bandwidth=30e9,
        bandwidth_off=0.01, products=470e9, products_least=465e9, n_bytes=40_000_000_000,
        operations=8_000,
    )  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"got": 0.96},
        {"products_least": 400e9},
        {"bandwidth_off": 0.3},
        {"bandwidth": 60e9},
    ],
)
def test_a_disturbed_sample_does_not_count(turns, quiet, change):
    found = [quiet] * 5 + [replace(quiet, **change)]
    assert turns.clean(found, "minengine") == [quiet] * 5
    assert turns.counted(found, "minengine") == ([quiet] * 5, 5)


def test_where_too_few_are_clean_the_least_disturbed_half_counts_and_is_called_so(turns, quiet):
    found = [replace(quiet, got=got) for got in (0.2, 0.4, 0.6, 0.8)]
    used, n_clean = turns.counted(found, "minengine")
    assert [s.got for s in used] == [0.6, 0.8]
    assert n_clean == 0


def test_slower_configurations_of_llama_cpp_are_left_out_and_ours_never(turns, quiet):
    sides = [turns.OURS, *turns.PEERS[:3]]
    seconds = (9.0, 2.0, 2.1, 2.5)
    found = [replace(quiet, side=s.name, seconds=t) for s, t in zip(sides, seconds, strict=True)]
    assert turns.behind(found, sides, 0.1) == [sides[3]]


def test_a_step_reads_the_weights_once_and_of_each_layer_what_its_window_lets_see(turns):
    facts = {
        "windows": [4, 0], "weight_bytes": 1000, "cell_bytes": 10, "operations": 7,
        "head_operations": 100,
    }  # fmt: skip
    job = turns.Job("f", n_sequences=2, depth=6, n_tokens=1, n_steps=3, threads=1, options={})
    # steps see 7, 8, 9 tokens in the open layer, 4 through the window, of each sequence
    assert turns.work(facts, job) == (3 * 1000 + 2 * 10 * (7 + 8 + 9 + 3 * 4), 2 * 3 * (7 + 100))


def test_the_table_takes_medians_and_llama_cpps_best(turns, quiet):
    import speed_table
    from speed_table import cells, markdown

    peer = turns.PEERS
    found = [replace(quiet, seconds=s) for s in (2.0, 1.0, 4.0)]
    found += [replace(quiet, side=peer[0].name, seconds=s) for s in (8.0, 4.0, 2.0)]
    found += [replace(quiet, side=peer[1].name, seconds=s) for s in (9.0, 9.0, 1.0)]
    (cell,) = cells(found)
    assert (cell.ours.rate, cell.ours.least, cell.ours.most, cell.ours.clean) == (2.0, 1.0, 4.0, 3)
    assert (cell.best.side, cell.best.rate, cell.ratio) == (peer[0].name, 1.0, 2.0)
    assert speed_table.want(cell) == "-"
    gemma = replace(cell, at=replace(quiet, model="Gemma 3 270M Q4_K_M", threads=2))
    assert speed_table.want(gemma) == "1.6"
    assert cell.ours.roof == pytest.approx(40e9 / 2 / 30e9)
    assert "| 2.00 | 67% | 33% |" in markdown(found, ["ratio", "of the roof", "its"])


def test_samples_come_back_from_csv_as_they_were(turns, quiet, tmp_path):
    path = tmp_path / "a" / "x.csv"
    turns.write(path, [quiet], {"processor": "p, q", "numpy": "2"})
    assert turns.read(path) == ([quiet], {"processor": "p, q", "numpy": "2"})
    path.write_text("model,phase\nm,decode\n")
    with pytest.raises(SystemExit, match="columns model, phase; want model, phase, threads"):
        turns.read(path)


@pytest.mark.parametrize("name", ["Q4_0", "Q8_0", "Q4_K_M"])
def test_a_large_random_file_has_the_formats_of_its_name_and_runs(path, tmp_path, name):
    import speed_models

    file = tmp_path / "m.gguf"
    speed_models.write(file, name, SIZES, 128)
    with Engine(file, 1) as engine:
        layers = engine.model.layers
        formats = {layer.ffn_down.format.name for layer in layers}
        assert formats == ({"Q4_K", "Q6_K"} if name == "Q4_K_M" else {name})
        assert engine.model.output.format.name == ("Q6_K" if name == "Q4_K_M" else name)
        logits = engine.logits([1, 5, 9])
    assert np.isfinite(logits).all()
    assert logits.std() > 0.1


def test_our_contestant_runs_jobs_by_turns_and_probes_the_machine(turns):
    with turns.Turns(None, "packaged", Path(packaged_model())) as found:
        job = {"n_sequences": 2, "depth": 3, "n_tokens": 1, "n_steps": 2, "threads": 1}
        effort = turns.Effort(clean=3, most=3)
        samples = list(found.play("decode", job, [turns.OURS, turns.MAPPED], effort))
        assert [s.side for s in samples] == ["minengine", "minengine, mapped"] * 3
        assert all(s.n_tokens == 4 and s.seconds > 0 and 0 < s.got <= 1 for s in samples)
        assert found.facts["context"] == 512
        assert "processor" in found.hello()


def test_a_contestant_that_fails_says_why(turns):
    job = {"n_sequences": 1, "depth": 0, "n_tokens": 1, "n_steps": 1, "threads": 1}
    with (
        turns.Turns(None, "packaged", Path(packaged_model())) as found,
        pytest.raises(SystemExit, match=r"minengine_speed\.py, open: .*blocks of 999 tokens"),
    ):
        next(found.play("decode", job | {"block_size": 999}, [turns.OURS], turns.Effort()))


def test_the_bench_writes_its_samples_and_shows_them_again(tmp_path):
    path, script = tmp_path / "x.csv", BENCH / "peer_speed.py"
    command = [
        sys.executable, script, "--alone", "--quick", "--models", "tiny", "--threads", "1",
        "--phases", "decode", "--csv", path, "--work", tmp_path,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "packaged model" in done.stdout
    with path.open(newline="") as f:
        rows = list(csv.DictReader(f))
    assert [row["side"] for row in rows] == ["minengine"] * 3
    again = subprocess.run(
        [sys.executable, script, "--table", path], capture_output=True, text=True, check=True
    )
    assert again.stdout.startswith("| model | threads |")
    assert "| packaged model | 1 | decode tg16 at 496 | repacked |" in again.stdout


def test_a_python_without_llama_cpp_is_named(path, tmp_path, monkeypatch):
    from argparse import Namespace

    from peer_speed import checked_peer

    fake = tmp_path / "python"
    fake.write_text(
        "#!/bin/sh\necho \"ModuleNotFoundError: No module named 'llama_cpp'\" >&2; exit 1\n"
    )
    fake.chmod(0o755)
    with pytest.raises(SystemExit, match=r"no llama-cpp-python .*No module named 'llama_cpp'"):
        checked_peer(Namespace(alone=False, peer=str(fake)))


def test_parts_of_a_step_add_up_and_name_every_matrix(path):
    import parts
    from contestant import Job

    job = Job(packaged_model(), 1, 4, 1, 2, 1, {"repack": True})
    found = parts.measure(job, 1)
    named = {r["part"]: r["calls"] for r in found}
    assert named["attend"] == 5
    assert sum(r["share"] for r in found) == pytest.approx(1)
    shapes = {"head Q8_0 1024 x 256": 1, "ffn_down Q8_0 256 x 768": 5, "attn_k Q8_0 64 x 256": 5}
    assert shapes.items() <= named.items()


def test_the_page_shows_what_the_csv_says_and_nothing_else(turns, quiet, tmp_path):
    import report

    page = (BENCH / "README.md").read_text(encoding="utf-8")
    assert report.filled(page, BENCH / "results") == page
    turns.write(tmp_path / "scaling.csv", [quiet] * 3, {"processor": "one of ours"})
    found = report.filled(page, tmp_path)
    assert "| m | 1 | 1 | 8 | 500.00 |" in found
    assert "processor one of ours" in found
    # the ladder's times lie beside its kernels, not among the results
    assert found.count(report.NOTHING) == page.count("<!-- table") - 2
    assert report.filled(found, tmp_path) == found
    with pytest.raises(SystemExit, match=r"table speed\.csv: want a name that begins with peer"):
        report.filled("<!-- table: speed.csv -->\n<!-- end -->", tmp_path)


def test_the_page_has_the_drawings_of_its_tables_with_their_numbers_in_words(
    turns, quiet, tmp_path
):
    import kernel_table
    import kernels
    import report

    peer = turns.PEERS[0].name
    found = [
        replace(quiet, depth=depth, side=side, seconds=seconds)
        for depth, ours, theirs in ((8, 2.0, 4.0), (512, 3.0, 9.0))
        for side, seconds in ((quiet.side, ours), (peer, theirs)) * 3
    ]
    turns.write(tmp_path / "cache.csv", found, {"processor": "p"})
    turns.write(tmp_path / "scaling.csv", found, {"processor": "p"})
    turns.write(tmp_path / "peer_speed_b.csv", found, {"processor": "p"})
    row = dict.fromkeys(kernels.COLUMNS, "1") | {
        "variant": "avx512", "format": "Q8_0", "layout": "strips", "gb_per_s": "31.42",
        "unit": "GB/s", "share": "0.9", "clean": "9", "samples": "9",
    }  # fmt: skip
    rows = [row, row | {"format": "Q4_K", "share": "0.5", "clean": "1"}]
    with (tmp_path / "kernels.csv").open("w", newline="") as f:
        writer = csv.DictWriter(f, [*kernels.COLUMNS, "processor"])
        writer.writeheader()
        writer.writerows(r | {"processor": "p"} for r in rows)
    table = kernel_table.page(tmp_path / "kernels.csv")
    assert "| avx512 | 1 | Q8_0 | strips | 31.4 GB/s, 90% |" in table
    assert "| avx512 | 1 | Q4_K | strips | 31.4 GB/s, 50% ? |" in table
    names = ("cache", "scaling", "peer_speed_b", "kernels")
    page = "".join(f"<!-- table: {n}.csv -->\n<!-- end -->\n" for n in names)
    report.drawn(page, tmp_path)
    assert {p.stem for p in tmp_path.glob("*.svg")} == set(names)
    said = report.filled(page, tmp_path)
    assert "minengine, blocks of 32: 500.00 ms at 8, 750.00 ms at 512." in said
    assert "llama.cpp: 1000.00 ms at 8, 2250.00 ms at 512." in said
    assert "m, 1 thread: decode 2.00; m, 1 thread: decode 3.00." in said
    assert "avx512, 1 token: 50% (Q4_K) to 90% (Q8_0)." in said


def test_the_kernels_csv_says_which_variant_each_row_is_of(path, tmp_path, monkeypatch):
    import kernels

    from minengine import strips

    variants = [name for name in strips.runs() if name != "portable"]
    monkeypatch.setattr(kernels, "FAR", 2_000_000)
    out = tmp_path / "k.csv"
    asked = ["--variants", ",".join(variants), "--formats", "Q8_0", "--tokens", "1", "--csv", out]
    monkeypatch.setattr(sys, "argv", ["kernels.py", *map(str, asked)])
    kernels.main()
    with out.open(newline="") as f:
        rows = list(csv.reader(f))
    assert len(set(rows[0])) == len(rows[0])
    assert [r[0] for r in rows[1:]] == [name for name in variants for _ in ("file", "strips")]
