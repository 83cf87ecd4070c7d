"""The command line as a shell sees it: output, streams, exit codes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest

from minengine import Engine, strips
from minengine.cli import main as cli
from minengine.divergence import compare
from minengine.engine import BLOCK_SIZE
from minengine.kvcache import BlockPool
from minengine.requantize import requantize
from minengine.sampling import PARAMETERS

COMMANDS = (
    *("info", "tokens", "quantize", "selftest", "generate", "chat", "serve", "bench"),
    *("serve-bench", "perplexity", "kl", "embed"),
)
PROGRAM = [sys.executable, "-c", "from minengine.cli.main import main; main()"]
PLAIN = os.environ | {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}


def start(*args, **options):
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen([*PROGRAM, *map(str, args)], **pipes | {"env": PLAIN} | options)


def program(*args, stdin: bytes = b"") -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the program in a process of its own."""
    process = start(*args)
    out, err = process.communicate(stdin, timeout=120)
    return process.returncode, out.decode(), err.decode()


@pytest.fixture
def run(capsys, monkeypatch):
    """The same within this process: quicker, for what needs no real pipe."""

    def call(*args):
        monkeypatch.setattr(sys, "argv", ["minengine", *map(str, args)])
        for name in ("COLUMNS", "NO_COLOR", "TERM"):
            monkeypatch.setenv(name, PLAIN[name])
        with pytest.raises(SystemExit) as exited:
            cli.app(prog_name="minengine")
        out, err = capsys.readouterr()
        return exited.value.code or 0, out, err

    return call


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(run, command):
    code, out, _ = run(command, "--help")
    assert code == 0
    assert "Examples:" in out
    assert f"minengine {command}" in out


@pytest.mark.parametrize("command", ["generate", "chat"])
def test_a_command_has_a_flag_for_every_sampler_with_its_help_and_default(run, command):
    out = re.sub(r"\s+", " ", run(command, "--help")[1].replace("│", " "))
    for row in PARAMETERS.values():
        assert f"--{row.name.replace('_', '-')} " in out
        assert row.help in out
        assert not row.default or f"[default: {row.default}]" in out


def test_generate_prints_what_the_engine_writes(run):
    with Engine() as engine:
        want = "".join(engine.generate("ROMEO:", max_tokens=20, seed=4, temperature=1.2, top_k=7))
    flags = ("-n", 20, "--seed", 4, "--temperature", 1.2, "--top-k", 7)
    code, out, err = run("generate", "ROMEO:", *flags)
    assert (code, out, err) == (0, want + "\n", "")
    assert run("generate", "ROMEO:", *flags, "--echo")[1] == "ROMEO:" + want + "\n"
    found = json.loads(run("generate", "ROMEO:", *flags, "--json")[1])
    assert (found["text"], found["reason"], len(found["ids"])) == (want, "length", 20)
    assert found["options"]["top_k"] == 7
    assert "20 tokens" in run("generate", "ROMEO:", *flags, "--stats")[2]


def test_generate_writes_within_a_grammar_given_as_a_text_or_a_file(run, tmp_path):
    grammar = 'root ::= "yes" | "no, " [a-z]{3}'
    (tmp_path / "answer.gbnf").write_text(grammar)
    out = run("generate", "To be?", "--grammar", grammar, "--seed", 3)[1]
    assert re.fullmatch("(yes|no, [a-z]{3})\n", out)
    assert (
        run("generate", "To be?", "--grammar-file", tmp_path / "answer.gbnf", "--seed", 3)[1] == out
    )
    found = json.loads(run("generate", "x", "--grammar", grammar, "--json")[1])
    assert (found["reason"], found["options"]["grammar"]) == ("end", grammar)


def test_generate_writes_json_that_a_schema_describes(run, tmp_path):
    schema = '{"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}'
    (tmp_path / "answer.json").write_text(schema)
    for flags in (("--json-schema", schema), ("--json-schema-file", tmp_path / "answer.json")):
        out = run("generate", "x", *flags, "--seed", 3)[1]
        assert isinstance(json.loads(out)["n"], int)


def test_penalties_look_back_at_the_prompt_unless_told_not_to(run):
    flags = ("--repeat-penalty", 9, "--temperature", 0, "-n", 12, "--json")
    texts = {}
    for penalize, flag in ((True, ()), (False, ("--no-penalize-prompt",))):
        found = json.loads(run("generate", "the king, the king", *flags, *flag)[1])
        texts[penalize] = found["text"]
        with Engine() as engine:
            options = {"max_tokens": 12, "repeat_penalty": 9, "temperature": 0}
            stream = engine.generate("the king, the king", penalize_prompt=penalize, **options)
            assert found["text"] == "".join(stream)
    assert texts[True] != texts[False]


def test_breakers_of_dry_are_given_one_by_one(run):
    prompt = "the king, the king, the"
    flags = ("--dry-multiplier", 5, "--dry-allowed-length", 1, "--temperature", 0, "-n", 8)
    options = {"dry_multiplier": 5, "dry_allowed_length": 1, "temperature": 0, "max_tokens": 8}
    texts = []
    for breakers in ((), ("\n", ","), ("the",)):
        given = {"dry_breakers": breakers} if breakers else {}
        with Engine() as engine:
            texts.append("".join(engine.generate(prompt, **options, **given)) + "\n")
        flagged = [x for text in breakers for x in ("--dry-breaker", text)]
        assert run("generate", prompt, *flags, *flagged)[1] == texts[-1]
    assert texts[0] != texts[2]


def test_tokens_are_the_engines(run):
    text = "To be\nor 😀 </s>"
    with Engine() as engine:
        want = engine.tokenize(text)
        special = engine.tokenize(text, parse_special=True)
    code, out, err = run("tokens", text)
    assert (code, err) == (0, f"{len(want)} tokens\n")
    assert [int(line.split()[0]) for line in out.splitlines()] == want
    assert json.loads(run("tokens", text, "--json")[1])["ids"] == want
    assert json.loads(run("tokens", text, "--json", "--special")[1])["ids"] == special


def test_a_dash_reads_stdin_and_bytes_that_are_no_text_are_taken():
    code, out, _ = program("tokens", "-", "--json", stdin=b"a\n\xff")
    assert code == 0
    assert json.loads(out)["tokens"] == ["<s>", "a", "\n", "<0xFF>"]


def test_info_says_what_is_in_the_file(run):
    code, out, _ = run("info", "--tensors")
    assert code == 0
    for words in ("general.architecture", "llama.context_length", "blk.0.attn_q.weight", "Q8_0"):
        assert words in out
    found = json.loads(run("info", "--json", "--tensors")[1])
    assert found["metadata"]["general.architecture"] == "llama"
    assert found["n_parameters"] == 4_033_280
    assert sum(t["bytes"] for t in found["tensors"]) < found["bytes"]


def test_info_shows_no_control_characters_of_a_file_to_the_terminal(run, write_model):
    def change(metadata, tensors):
        metadata["general.name"] = "a\x1b]0;title\x07\n\x9b2J" + "x" * 500

    code, out, _ = run("info", "--model", write_model(change=change), "--tensors")
    assert code == 0
    assert r"a\x1b]0;title\x07\n\x9b2Jxx" in out
    assert "characters)" in out
    assert all(c == "\n" or c.isprintable() for c in out)


def test_perplexity_of_a_file_and_of_stdin(run, tmp_path):
    text = "First Citizen:\nBefore we proceed any further, hear me speak.\n"
    path = tmp_path / "play.txt"
    path.write_text(text)
    with Engine(mode="exact") as engine:
        want = engine.perplexity(text, window=16, stride=4)
    code, out, _ = run("perplexity", path, "--window", 16, "--stride", 4, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["perplexity"] == want.perplexity
    assert (found["n_tokens"], found["window"], found["stride"]) == (want.n_tokens, 16, 4)
    code, out, err = program("perplexity", "-", stdin=text.encode())
    assert (code, err) == (0, "")
    assert "nats per character" in out


def test_perplexity_by_llamacpps_method(run, tmp_path):
    path = tmp_path / "play.txt"
    path.write_text("First Citizen:\nBefore we proceed any further, hear me speak.\n" * 4)
    with Engine(mode="exact") as engine:
        want = engine.perplexity(path.read_bytes(), method="llama.cpp", window=32)
    flags = ("--method", "llama.cpp", "--window", 32)
    found = json.loads(run("perplexity", path, *flags, "--json")[1])
    assert (found["method"], found["n_tokens"]) == ("llama.cpp", want.n_tokens)
    assert (found["perplexity"], found["error"]) == (want.perplexity, want.error)
    assert f"{want.perplexity:.4f} +/- {want.error:.4f}" in run("perplexity", path, *flags)[1]


def test_kl_of_the_modes_of_a_model_side_by_side_and_from_a_file(run, tmp_path):
    play, base = tmp_path / "play.txt", tmp_path / "base.gguf"
    play.write_text("First Citizen:\nBefore we proceed any further, hear me speak.\n" * 4)
    with Engine(mode="exact") as exact, Engine(mode="fast") as fast:
        want = compare(fast, play.read_bytes(), exact, window=32).summary()
    code, out, err = run("kl", play, "--mode", "fast", "--window", 32, "--json")
    assert (code, err, json.loads(out)) == (0, "", want)
    code, out, _ = run("kl", play, "--save-base", base, "--base-form", "F32", "--window", 32)
    assert (code, out) == (0, f"{base}: {base.stat().st_size:,} bytes\n")
    code, out, _ = run("kl", play, "--mode", "fast", "--base", base)
    assert code == 0
    for name in ("kl", "kl_error", "kl_median", "kl_90", "kl_99", "kl_max"):
        assert f"{want[name]:.3e}" in out
    assert f"{want['same_top']:.4f} +/- {want['same_top_error']:.4f}" in out
    # and the other way round: the exact model beside the fast one
    found = json.loads(run("kl", play, "--base-mode", "fast", "--window", 32, "--json")[1])
    assert found["perplexity"] == want["base_perplexity"]


def test_kl_and_perplexity_of_a_quantized_cache(run, tmp_path):
    play = tmp_path / "play.txt"
    play.write_text("First Citizen:\nBefore we proceed any further, hear me speak.\n" * 4)
    with Engine(mode="exact") as exact, Engine(mode="exact", cache_format="Q8_0") as engine:
        want = compare(engine, play.read_bytes(), exact, window=32).summary()
        perplexity = engine.perplexity(play.read_bytes(), window=32).perplexity
    assert want["kl"] > 0
    flags = ("--cache-format", "Q8_0", "--window", 32, "--json")
    assert json.loads(run("kl", play, *flags)[1]) == want
    assert json.loads(run("perplexity", play, *flags)[1])["perplexity"] == perplexity


def test_embed_prints_a_vector_a_line(run):
    with Engine(mode="exact") as engine:
        want = engine.embed(["To be", "or not"], pooling="last")
    code, out, err = run("embed", "To be", "or not", "--pooling", "last")
    assert (code, err) == (0, "")
    got = [[float(x) for x in line.split()] for line in out.splitlines()]
    assert np.allclose(got, want, rtol=1e-5)
    found = json.loads(run("embed", "To be", "or not", "--pooling", "last", "--json")[1])
    assert found["embeddings"] == want.tolist()
    assert (found["pooling"], found["width"]) == ("last", 256)
    rows = json.loads(run("embed", "To be", "--pooling", "none", "--no-normalize", "--json")[1])
    assert len(rows["embeddings"][0]) == len(engine.tokenize("To be"))


def test_info_and_bench_say_what_runs_and_what_a_copy_takes(run):
    found = json.loads(run("info", "--cpu", "--json")[1])
    assert (found["chosen"], found["runs"]) == (strips.CHOSEN, list(strips.runs()))
    assert strips.CHOSEN in run("info", "--cpu")[1]
    with Engine(repack=True) as engine:
        want = engine.repacked_bytes
    assert json.loads(run("info", "--json")[1])["memory"]["repacked bytes"] == want
    short = ("bench", "--prefill", 8, "--decode", 2, "--samples", 1, "--json")
    found = json.loads(run(*short)[1])
    assert (found["mode"], found["simd"], found["repacked_bytes"]) == ("fast", strips.CHOSEN, want)
    assert json.loads(run(*short, "--no-repack")[1])["repacked_bytes"] == 0


def test_generated_text_does_not_depend_on_the_copy(run):
    asked = ("generate", "ROMEO:", "-n", 12, "--seed", 1)
    assert run(*asked, "--repack")[1] == run(*asked)[1]


def test_bench_gives_positive_speeds(run):
    code, out, _ = run("bench", "--prefill", 8, "--decode", 4, "--samples", 2, "--json")
    found = json.loads(out)
    assert code == 0
    for part, n in (("prefill", 8), ("decode", 4)):
        assert found[part]["n_tokens"] == n
        assert found[part]["tokens_per_s"] > 0
        assert len(found[part]["seconds"]) == 2
    assert "tokens/s" in run("bench", "--prefill", 8, "--decode", 4, "--samples", 1)[1]


def test_selftest_passes_and_says_the_errors(run):
    code, out, _ = run("selftest")
    assert code == 0
    assert "model logits" in out
    assert re.search(r"^\d+ passed, 0 failed$", out, re.M)
    assert json.loads(run("selftest", "--json")[1])["passed"] is True


def test_selftest_exits_1_where_a_check_fails(run, monkeypatch):
    monkeypatch.setitem(cli.files.selftests.LOSSES, "Q8_0", 0.0)
    code, out, _ = run("selftest")
    assert code == 1
    assert "FAILED format Q8_0 quantize" in out
    assert ", 1 failed" in out


def test_quantize_writes_what_requantize_does(run, tmp_path):
    with Engine() as engine:
        source = engine.model.file.path
    assert run("quantize", source, tmp_path / "a.gguf", "Q4_0")[0] == 0
    requantize(source, tmp_path / "b.gguf", "Q4_0")
    assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("generate", "x", "--temperature", "-1"), "temperature: got -1.0, want at least 0"),
        (("generate", "x" * 3000), "3001 tokens: the context holds 512"),
        (("generate", "x", "--grammar", "root ::= ["), "grammar 1:11: got the end, want the ]"),
        (("generate", "x", "--grammar", "", "--json-schema", "{}"), "want one of them"),
        (("generate", "x", "--json-schema", "{"), "json schema: want JSON"),
        (("generate", "x", "--grammar-file", sys.executable), "is not UTF-8"),
        (("generate", "x", "--grammar-file", "none"), "none: No such file or directory"),
        (("generate", "x", "--model", "none.gguf"), "none.gguf: No such file or directory"),
        (("info", "--model", __file__), "want b'GGUF'"),
        (("perplexity", "none.txt"), "none.txt: No such file or directory"),
        (("perplexity", __file__, "--method", "ours"), "--method ours: want stride or llama.cpp"),
        (("perplexity", __file__, "--window", "600"), "context: got 600, the model was made for"),
        (("kl", __file__), "a model beside itself in exact mode: want --base or another --mode"),
        (("kl", __file__, "--mode", "fast", "--base-mode", "fast"), "beside itself in fast mode"),
        (("kl", __file__, "--save-base", "x", "--base", "y"), "want no --base with it"),
        (("kl", __file__, "--base", __file__), "want b'GGUF'"),
        (("kl", __file__, "--base-mode", "x"), "mode: got 'x', want exact or fast"),
        (("embed", "x", "--pooling", "max"), "pooling: got 'max', want mean, last, cls, none"),
        (("embed", "To be, or not", "--context", 2), "tokens: the context holds 2"),
        (("embed", "x", "--cache-format", "Q9"), "cache_format: got 'Q9', want F32, F16"),
        (("perplexity", __file__, "--cache-format", "Q6_K"), "cache_format: got 'Q6_K', want F32"),
        (("quantize", __file__, "x.gguf", "Q9"), "format 'Q9'"),
        (("bench", "--prefill", "600"), "600 tokens: the context holds 512"),
    ],
)
def test_an_error_is_one_line_on_stderr_and_exit_2(run, args, words):
    code, out, err = run(*args)
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1
    assert err.startswith("minengine: ")


@pytest.mark.parametrize("args", [("generate", "x", "--top-k", "many"), ("dance",), ("tokens",)])
def test_a_wrong_argument_exits_2_without_a_traceback(run, args):
    code, out, err = run(*args)
    assert (code, out) == (2, "")
    assert "Traceback" not in err


def test_text_comes_as_it_is_generated_and_ctrl_c_ends_it_with_130_and_no_traceback():
    with Engine() as engine:
        whole = "".join(engine.generate("x", max_tokens=500, seed=1)).encode()
    process = start("generate", "x", "-n", 500, "--seed", 1)
    first = process.stdout.read(3)
    process.send_signal(signal.SIGINT)
    rest, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, b"")
    printed = (first + rest).removesuffix(b"\n")
    assert whole.startswith(printed)
    assert len(printed) < len(whole)


def test_a_reader_that_goes_away_ends_it_quietly():
    process = start("generate", "x", "-n", 500)
    process.stdout.read(1)
    process.stdout.close()
    err = process.stderr.read()
    assert (process.wait(timeout=60), err) == (141, b"")


def test_output_closed_before_anything_is_printed_is_quiet_too():
    process = start("info")
    process.stdout.close()
    err = process.stderr.read()
    assert (process.wait(timeout=60), err) == (141, b"")


def test_what_the_terminals_encoding_lacks_is_replaced():
    process = start("tokens", "é", env=PLAIN | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert b"Traceback" not in err
    assert b"?" in out or b"<0x" in out


def test_info_says_the_memory_that_the_cache_really_takes(run):
    found = json.loads(run("info", "--context", 100, "--cache-format", "F16", "--json")[1])
    h = Engine().model.hparams
    pool = BlockPool(-(-100 // BLOCK_SIZE), BLOCK_SIZE, h.n_layers, h.G, h.E, "F16")
    assert found["memory"]["cache bytes"] == pool.n_bytes
    assert found["memory"]["context"] == f"100 of {h.context_length} tokens"
    assert "cache bytes" in run("info")[1]
    code, _, err = run("info", "--cache-format", "F17")
    assert code == 2
    assert "--cache-format F17: there are F32" in err


def test_info_of_a_model_that_cannot_run_says_why(run, write_model):
    def change(metadata, _):
        metadata["general.architecture"] = "mamba"

    code, out, _ = run("info", "--model", write_model(change=change))
    assert code == 0
    assert "cannot run        architecture 'mamba'; this engine has llama" in out


def test_serve_bench_prints_the_figures_of_a_trace(run, tmp_path):
    trace = tmp_path / "trace.jsonl"
    options = ["--requests", 6, "--rate", 100, "--prompt", "5:9", "--answer", 4, "--prefix", 32]
    assert run("serve-bench", *options, "--write", trace)[:2] == (0, f"{trace}: 6 requests\n")
    code, out, _ = run("serve-bench", trace, "--queue", "fair", "--block-size", 16)
    assert code == 0
    for word in ("time to first", "prefixes found", "fairness", "user0"):
        assert word in out
    code, out, _ = run("serve-bench", trace, "--json", "--block-size", 16, "--no-share")
    found = json.loads(out)
    assert (found["answer_tokens"], found["found_tokens"]) == (24, 0)
    assert found["options"]["share_prefixes"] is False
    for wrong, said in {
        ("--prompt", "many"): "--prompt many: want LEAST:MOST",
        ("--queue", "lifo"): "queue: got 'lifo'",
        ("--answer", "5000"): "the context holds 512",
    }.items():
        code, _, err = run("serve-bench", *wrong)
        assert (code, err.count("\n")) == (2, 1)
        assert said in err


def test_a_saved_text_goes_on_where_it_stopped(run, tmp_path):
    whole = json.loads(run("generate", "ROMEO:", "-n", 30, "--seed", 2, "--json")[1])
    state = tmp_path / "romeo.state"
    _, first, _ = run("generate", "ROMEO:", "-n", 12, "--seed", 2, "--save", state, "--json")
    _, second, _ = run("generate", "--load", state, "-n", 18, "--json")
    first, second = json.loads(first), json.loads(second)
    assert first["ids"] + second["ids"] == whole["ids"]
    assert first["text"] + second["text"] == whole["text"]
    assert second["prompt_ids"] == whole["prompt_ids"] + first["ids"]
    for wrong, said in {
        ("x", "--load", state): "want no prompt",
        ("--load", state, "--save", state): "another file",
        ("--load", state, "--cache-format", "F16"): "keys and values in F32",
        ("--load", state, "--context", 10): "of 10 tokens is full",
    }.items():  # fmt: skip
        code, _, err = run("generate", *wrong)
        assert (code, err.count("\n")) == (2, 1)
        assert said in err


def test_a_text_longer_than_the_context_forgets_as_it_is_told(run):
    wanted = ["generate", "ROMEO:", "-n", 100, "--greedy", "--context", 40, "--json"]
    assert json.loads(run(*wanted)[1])["reason"] == "context"
    found = [json.loads(run(*wanted, "--token-eviction", name, "--cells", 36)[1])
             for name in ("window", "sinks", "h2o")]  # fmt: skip
    assert [(f["reason"], len(f["ids"])) for f in found] == [("length", 100)] * 3
    assert len({f["text"] for f in found}) == 3


def test_guesses_ahead_change_no_text(run, tmp_path):
    from minengine.engine import packaged_model

    requantize(packaged_model(), tmp_path / "q4.gguf", "Q4_0")
    wanted = ["generate", "To be, or not to be: To be, or", "-n", 40, "--greedy", "--json"]
    plain = json.loads(run(*wanted)[1])
    for flags in (["--lookup"], ["--draft-model", tmp_path / "q4.gguf", "--draft", 3]):
        found = json.loads(run(*wanted, *flags)[1])
        assert found["text"] == plain["text"]
        assert found["accepted"] > 0
        assert found["drafted"] >= found["accepted"]
    code, _, err = run("generate", "x", "--lookup", "--draft-model", tmp_path / "q4.gguf")
    assert (code, "want one of them" in err) == (2, True)
