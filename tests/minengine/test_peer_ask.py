"""How the benches ask llama.cpp, with stand-ins in its place: what comes back, and how it fails."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
ECHO = """
import json, sys
import numpy as np
print("noise", file=sys.stderr)
with open(sys.argv[1], encoding="utf-8") as f:
    job = json.load(f)
np.savez(sys.argv[2], job=np.array(json.dumps(job)), double=2 * np.array(job["numbers"]))
"""
FAIL = """
import sys
print("\\n".join(f"line {i}" for i in range(50)), file=sys.stderr)
sys.exit(3)
"""


@pytest.fixture(scope="module")
def peer():
    spec = importlib.util.spec_from_file_location("peer", BENCH / "peer.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def script(tmp_path):
    def write(text: str) -> str:
        path = tmp_path / "script.py"
        path.write_text(text)
        return str(path)  # an absolute path is not looked for in bench

    return write


def test_a_job_reaches_the_script_and_its_arrays_come_back(peer, script, tmp_path, capfd):
    job = {"numbers": [1, 2], "file": tmp_path / "\u00e9.gguf"}
    found = peer.ask(sys.executable, script(ECHO), tmp_path, job)
    assert found["double"].tolist() == [2, 4]
    assert peer.json.loads(str(found["job"])) == {"numbers": [1, 2], "file": str(job["file"])}
    assert capfd.readouterr() == ("", "")


def test_a_failure_shows_the_last_lines_of_the_peers_stderr(peer, script, tmp_path):
    with pytest.raises(SystemExit) as e:
        peer.ask(sys.executable, script(FAIL), tmp_path, {})
    head, *lines = str(e.value).split("\n")
    assert head.startswith(f"llama.cpp failed with 3: {sys.executable} ")
    assert [line.strip() for line in lines] == [f"line {i}" for i in range(40, 50)]


def test_an_answer_of_an_earlier_job_is_not_taken_for_this_ones(peer, script, tmp_path):
    peer.ask(sys.executable, script(ECHO), tmp_path, {"numbers": [1]})
    with pytest.raises(FileNotFoundError):
        peer.ask(sys.executable, script("pass"), tmp_path, {})


def test_what_json_does_not_hold_is_refused(peer, tmp_path):
    with pytest.raises(TypeError):
        peer.ask(sys.executable, "peer_llamacpp.py", tmp_path, {"ids": np.arange(3)})


def test_flags_make_the_folders_and_refuse_a_peer_that_is_no_program(peer, tmp_path, capsys):
    folders = ("--work", str(tmp_path / "a" / "b"), "--golden", str(tmp_path / "c"))
    args = peer.parser("What?").parse_args(["--peer", sys.executable, *folders])
    assert args.work.is_dir()
    assert args.golden.is_dir()
    (tmp_path / "file").write_text("")
    for wrong, words in (
        (["--peer", "no-such-python"], "no-such-python: no program"),
        (["--peer", sys.executable, "--work", str(tmp_path / "file")], "want a folder"),
        (["--work", str(tmp_path)], "required: --peer"),
    ):
        with pytest.raises(SystemExit):
            peer.parser("What?").parse_args(wrong)
        assert words in capsys.readouterr().err
    with pytest.raises(SystemExit):
        peer.parser("What?", golden=False).parse_args(["--peer", sys.executable, *folders])


def test_measures_are_their_formulas(peer):
    want = np.array([[0.0, 2.0, -np.inf], [1.0, 1.0, 1.0]], np.float32)
    got = np.array([[0.0, 1.0, 3.0], [1.0, 1.0, 1.0]], np.float32)
    p = np.exp([0, 2]) / np.exp([0, 2]).sum()
    q = np.exp([0, 1]) / np.exp([0, 1, 3]).sum()
    assert peer.kl(want, got) == pytest.approx(float((p * np.log(p / q)).sum()) / 2, rel=1e-12)
    x = np.array([1.0, 2.0, 4.0], np.float32)
    assert peer.nrms(x + np.float32(0.5), x) == pytest.approx(0.5 / np.std(x), rel=1e-6)
