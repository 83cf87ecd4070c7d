"""gguf: what others wrote is read, what we write they read, every broken file is told apart."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter
from hypothesis import given, settings
from hypothesis import strategies as st

from minengine import Engine, gguf, gguf_writer
from minengine.errors import EngineError, FileError, Malformed, NotGGUF, Truncated, Unsupported
from minengine.formats import FORMATS

ROOT = Path(__file__).resolve().parents[2]


def u32(n):
    return struct.pack("<I", n)


def u64(n):
    return struct.pack("<Q", n)


def text(s):
    raw = s if isinstance(s, bytes) else s.encode()
    return u64(len(raw)) + raw


def pair(key, kind, value):
    return text(key) + u32(kind) + value


def info(name="t", shape=(8, 4), kind=0, offset=0):
    ne = shape[::-1]
    return text(name) + u32(len(ne)) + struct.pack(f"<{len(ne)}q", *ne) + u32(kind) + u64(offset)


def raw_file(
    pairs=(), infos=(), data=b"", *, magic=b"GGUF", version=3, n_tensors=None, n_pairs=None
):
    """A file from its parts, so that each part can lie."""
    n_tensors = len(infos) if n_tensors is None else n_tensors
    n_pairs = len(pairs) if n_pairs is None else n_pairs
    head = magic + u32(version) + u64(n_tensors) + u64(n_pairs) + b"".join((*pairs, *infos))
    return head + bytes(-len(head) % 32) + data


@pytest.fixture
def opened(tmp_path):
    """Function bytes -> File."""

    def open_(data):
        path = tmp_path / "m.gguf"
        path.write_bytes(data)
        return gguf.open(path)

    return open_


@pytest.fixture
def refuse(opened):
    """Function (error, words, bytes): opening must fail so, with the path in front."""

    def check(error, words, data):
        with pytest.raises(error, match=words) as caught:
            opened(data)
        assert type(caught.value) is error
        assert "m.gguf: " in str(caught.value)

    return check


# What is right ------------------------------------------------------------------------------------

METADATA = {
    "a.u32": 7,
    "a.u64": 2**40,
    "a.i64": -5,
    "a.f32": 0.5,
    "a.f64": -1e300,
    "a.inf": float("inf"),
    "a.yes": True,
    "a.no": False,
    "a.text": "größer\n",
    "a.empty": "",
    "a.strings": ["x", "", "▁y", "\U0001f600"],
    "a.ints": [1, -2, 3],
    "a.floats": [0.5, -1.0],
    "a.bytes": np.arange(5, dtype=np.uint8),
    "a.long": np.array([-(2**60)]),
    "a.double": np.array([1e300]),
    "a.flags": np.array([True, False]),
}


def written(path, form="Q8_0"):
    rng = np.random.default_rng(0)
    tensors = {
        "w": (form, (3, 256), FORMATS[form].quantize(rng.standard_normal((3, 256)))),
        "odd": ("F16", (5,), FORMATS["F16"].quantize(np.arange(5.0))),
        "last": ("F32", (2, 3, 4), rng.standard_normal(24).astype("<f4").view(np.uint8)),
    }
    gguf_writer.write(path, METADATA, tensors)
    return tensors


def test_what_is_written_is_read_back(tmp_path):
    tensors = written(tmp_path / "m.gguf")
    with gguf.open(tmp_path / "m.gguf") as file:
        assert file.version == 3
        assert list(file.metadata) == list(METADATA)
        for key, value in METADATA.items():
            got = file.metadata[key]
            assert np.array_equal(got, value), key
            assert isinstance(value, (list, np.ndarray)) or type(got) is type(value)
        assert list(file.tensors) == list(tensors)
        for name, (form, shape, raw) in tensors.items():
            got = file.tensors[name]
            assert (got.name, got.format, got.shape) == (name, form, tuple(shape))
            assert got.nbytes == raw.size
            assert np.array_equal(got.data, raw.ravel())


def test_an_empty_list_of_strings_stays_one_when_it_is_written_again(tmp_path, opened):
    file = opened(raw_file([pair("k", 9, u32(8) + u64(0))]))
    gguf_writer.write(tmp_path / "again.gguf", file.metadata, {})
    assert isinstance(gguf.open(tmp_path / "again.gguf").metadata["k"], gguf.Strings)


def test_gguf_py_reads_what_is_written(tmp_path):
    tensors = written(tmp_path / "m.gguf")
    reader = GGUFReader(tmp_path / "m.gguf")
    assert reader.fields["a.text"].contents() == METADATA["a.text"]
    assert reader.fields["a.strings"].contents() == METADATA["a.strings"]
    assert reader.fields["a.i64"].contents() == -5
    assert reader.fields["a.ints"].contents() == [1, -2, 3]
    for t in reader.tensors:
        form, shape, raw = tensors[t.name]
        assert t.tensor_type == GGMLQuantizationType[form]
        assert t.shape.tolist() == list(shape)[::-1]
        assert np.array_equal(np.ascontiguousarray(t.data).view(np.uint8).ravel(), raw.ravel())


def test_a_file_of_gguf_py_is_read(tmp_path):
    path = tmp_path / "m.gguf"
    w = GGUFWriter(path, "llama")
    w.add_custom_alignment(64)
    w.add_uint8("n.u8", 200)
    w.add_int16("n.i16", -300)
    w.add_float64("n.f64", 1e-300)
    w.add_token_list([b"a", "▁b".encode()])
    w.add_token_scores([0.0, -1.5])
    w.add_array("n.bools", [True, False])
    a, b = np.arange(6, dtype=np.float32).reshape(2, 3), np.ones((4, 64), np.float16)
    w.add_tensor("a", a)
    w.add_tensor("b", b)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    file = gguf.open(path)
    assert file.alignment == 64
    assert file.metadata["n.u8"] == 200
    assert file.metadata["n.i16"] == -300
    assert file.metadata["n.f64"] == 1e-300
    assert file.metadata["tokenizer.ggml.tokens"] == ["a", "▁b"]
    assert file.metadata["tokenizer.ggml.scores"].tolist() == [0.0, -1.5]
    assert file.metadata["n.bools"].tolist() == [True, False]
    assert np.array_equal(file.tensors["a"].data.view("<f4").reshape(2, 3), a)
    assert np.array_equal(file.tensors["b"].data.view("<f2").reshape(4, 64), b)
    assert file.tensors["b"].offset % 64 == 0


def test_version_2_is_read(opened):
    file = opened(raw_file([pair("k", 4, u32(1))], [info()], bytes(128), version=2))
    assert file.version == 2
    assert file.tensors["t"].shape == (8, 4)


def test_an_empty_model_is_a_file(opened):
    file = opened(raw_file())
    assert (file.metadata, file.tensors) == ({}, {})


def test_tensors_are_views_of_the_mapped_file(tmp_path):
    written(tmp_path / "m.gguf")
    file = gguf.open(tmp_path / "m.gguf")
    data = file.tensors["w"].data
    assert not data.flags.writeable
    assert not data.flags.owndata
    assert np.shares_memory(data.base, file.tensors["last"].data)
    file.close()
    assert data.sum() > 0, "a view outlives the file object"


@pytest.mark.parametrize("alignment", [1, 2, 8, 4096])
def test_any_power_of_two_aligns(tmp_path, alignment):
    path, raw = tmp_path / "m.gguf", np.arange(12, dtype=np.uint8)
    tensors = {"a": ("F32", (3,), raw), "b": ("F32", (3,), raw + 1)}
    gguf_writer.write(path, {"general.alignment": alignment}, tensors)
    file = gguf.open(path)
    assert file.tensors["b"].data.tolist() == (raw + 1).tolist()
    assert file.tensors["b"].offset - file.tensors["a"].offset == -(-12 // alignment) * alignment


def test_strings_are_a_sequence(tmp_path):
    written(tmp_path / "m.gguf")
    strings = gguf.open(tmp_path / "m.gguf").metadata["a.strings"]
    want = METADATA["a.strings"]
    assert len(strings) == 4
    assert strings[-1] == want[-1]
    assert strings[1:3] == want[1:3]
    assert list(strings) == want
    assert "▁y" in strings
    with pytest.raises(IndexError):
        strings[4]


keys = st.text(min_size=1, max_size=20).filter(lambda k: k != "general.alignment")
values = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(width=32, allow_nan=False),
    st.text(max_size=30),
    st.lists(st.text(max_size=9), min_size=1, max_size=5),
    st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=5),
)


@settings(max_examples=60)
@given(metadata=st.dictionaries(keys, values, max_size=6))
def test_any_metadata_survives(tmp_path_factory, metadata):
    path = tmp_path_factory.getbasetemp() / "any.gguf"
    gguf_writer.write(path, metadata, {})
    got = gguf.open(path).metadata
    assert list(got) == list(metadata)
    for key, value in metadata.items():
        assert np.array_equal(got[key], value)


# What is wrong ------------------------------------------------------------------------------------


def test_a_file_cut_at_any_byte_is_refused(tmp_path, opened):
    written(tmp_path / "whole.gguf")
    whole = (tmp_path / "whole.gguf").read_bytes()
    last = gguf.open(tmp_path / "whole.gguf").tensors["last"]
    for n in range(last.offset + last.nbytes):
        with pytest.raises(Truncated):
            opened(whole[:n])
    for n in range(last.offset + last.nbytes, len(whole) + 1):
        opened(whole[:n])  # what is cut is the padding after the last tensor


def test_what_is_no_gguf_is_refused(refuse):
    refuse(NotGGUF, "starts with b'PK", b"PK\x03\x04" + bytes(100))
    refuse(NotGGUF, "starts with b'GG', want b'GGUF'|starts with b'GGML'", b"GGML" + bytes(100))
    refuse(Truncated, "the file is empty", b"")


@pytest.mark.parametrize("version", [0, 1, 4, 99, 2**31 + 1])
def test_an_unknown_version_is_refused(refuse, version):
    refuse(NotGGUF, f"version {version}, want 2 or 3", raw_file(version=version))


@pytest.mark.parametrize("version", [2, 3])
def test_a_big_endian_file_is_called_so(refuse, version):
    swapped = int.from_bytes(version.to_bytes(4, "little"), "big")
    refuse(NotGGUF, "a big-endian file, want little-endian", raw_file(version=swapped))


@pytest.mark.parametrize("n", [2**60, 2**63, 2**64 - 1])
def test_a_length_no_writer_produces_is_malformed(refuse, n):
    huge = u64(n)
    refuse(Malformed, f"key 0: a length of {n}", raw_file([huge + b"abc"]))
    refuse(Malformed, f"'k': a length of {n}", raw_file([pair("k", 8, huge)]))
    refuse(Malformed, rf"'k'\[1\]: a string of {n} bytes", raw_file(
        [pair("k", 9, u32(8) + u64(2) + text("a") + huge)]
    ))  # fmt: skip
    refuse(Malformed, f"'k': a length of {n}", raw_file([pair("k", 9, u32(4) + huge)]))
    refuse(Malformed, f"name of tensor 0: a length of {n}", raw_file(infos=[huge + bytes(64)]))
    refuse(Malformed, f"{n} tensors", raw_file(n_tensors=n))
    refuse(Malformed, f"{n} metadata pairs", raw_file(n_pairs=n))


def test_a_length_beyond_the_end_is_truncated(refuse):
    refuse(Truncated, "key 0: a length of 1000, but", raw_file([u64(1000) + b"abc"]))
    refuse(Truncated, "'k': a length of 1000, but", raw_file([pair("k", 9, u32(4) + u64(1000))]))
    refuse(Truncated, "5000000 tensors do not fit", raw_file(n_tensors=5_000_000))


@pytest.mark.parametrize(
    ("words", "pairs"),
    [
        ("'k': an array of arrays", [pair("k", 9, u32(9) + u64(1) + bytes(40))]),
        ("'k': unknown value type 13, want", [pair("k", 13, bytes(40))]),
        ("'k': unknown element type 13", [pair("k", 9, u32(13) + u64(1) + bytes(40))]),
        ("key 'k' stands twice", [pair("k", 4, u32(1))] * 2),
        ("key 0 is empty", [pair("", 4, u32(1))]),
        ("'k': a bool of 2, want 0 or 1", [pair("k", 7, b"\x02")]),
        ("'k': a bool of 255", [pair("k", 9, u32(7) + u64(2) + b"\x00\xff")]),
        ("key 0: b'.xff.xfe' is not UTF-8", [pair(b"\xff\xfe", 4, u32(1))]),
        ("'k': b'.xff' is not UTF-8", [pair("k", 8, text(b"\xff"))]),
        ("general.alignment is 3, want a power of two", [pair("general.alignment", 4, u32(3))]),
        ("general.alignment is 0", [pair("general.alignment", 4, u32(0))]),
        ("general.alignment is 32.0", [pair("general.alignment", 6, struct.pack("<f", 32))]),
        ("general.alignment is True", [pair("general.alignment", 7, b"\x01")]),
        ("general.alignment is '32'", [pair("general.alignment", 8, text("32"))]),
    ],
)
def test_metadata_no_writer_produces_is_malformed(refuse, words, pairs):
    refuse(Malformed, words, raw_file(pairs) + bytes(64))


def test_a_string_of_an_array_that_is_no_utf8_is_refused_when_it_is_read(opened):
    file = opened(raw_file([pair("k", 9, u32(8) + u64(2) + text("fine") + text(b"\xff"))]))
    assert file.metadata["k"][0] == "fine"
    for read in (lambda k: k[1], list, gguf.Strings.encoded):
        with pytest.raises(Malformed, match=r"'k'\[1\]: b'.xff' is not UTF-8"):
            read(file.metadata["k"])


def test_two_halves_of_a_character_in_two_strings_are_no_utf8(opened):
    halves = [text("é".encode()[:1]), text("é".encode()[1:])]
    file = opened(raw_file([pair("k", 9, u32(8) + u64(2) + b"".join(halves))]))
    with pytest.raises(Malformed, match=r"'k'\[0\]"):
        file.metadata["k"].encoded()


@given(st.lists(st.text(), max_size=20))
def test_strings_at_once_are_the_strings_one_by_one(texts):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "m.gguf")
        path.write_bytes(
            raw_file([pair("k", 9, u32(8) + u64(len(texts)) + b"".join(map(text, texts)))])
        )
        strings = gguf.open(path).metadata["k"]
        assert strings.encoded() == [s.encode() for s in strings] == [s.encode() for s in texts]


@pytest.mark.parametrize(
    ("error", "words", "infos"),
    [
        (Malformed, "tensor 't' stands twice", [info(), info(offset=128)]),
        (Malformed, "name '', want 1 .. 63 bytes", [info("")]),
        (Malformed, "want 1 .. 63 bytes", [info("x" * 64)]),
        (Malformed, "t: 0 dimensions, want 1 .. 4", [info(shape=())]),
        (Malformed, "t: 5 dimensions", [info(shape=(1, 1, 1, 1, 4))]),
        (Malformed, r"t: shape \(8, 0\), want positive", [info(shape=(8, 0))]),
        (Malformed, r"t: shape \(-8, 4\), want positive", [info(shape=(-8, 4))]),
        (Malformed, r"t: shape \(-8, -4\), want positive", [info(shape=(-8, -4))]),
        (Malformed, "t: rows of 100, want a multiple of 256 for Q4_K", [info("t", (2, 100), 12)]),
        (Malformed, "t: offset 32, want 0", [info(offset=32)]),
        (Malformed, "u: offset 0, want 128", [info(), info("u")]),
        (Malformed, "u: offset 96, want 128", [info(), info("u", offset=96)]),
        (Malformed, "u: offset 160, want 128", [info(), info("u", offset=160)]),
        (Malformed, "t: offset 9223372036854775808, want 0", [info(offset=2**63)]),
        (Truncated, "t: bytes 96 .. ", [info(shape=(2**31, 2**31))]),
        (Truncated, "t: bytes", [info(shape=(2**62, 2**62, 2**62, 2**62))]),
        (Unsupported, "t: unknown tensor type 4", [info(kind=4)]),
        (Unsupported, "t: unknown tensor type 4294967295", [info(kind=2**32 - 1)]),
    ],
)
def test_a_directory_no_writer_produces_is_refused(refuse, error, words, infos):
    refuse(error, words, raw_file(infos=infos, data=bytes(512)))


def test_data_outside_the_file_are_refused(refuse):
    refuse(
        Truncated,
        r"t: bytes 96 \.\. 224, the file has 223",
        raw_file(infos=[info()], data=bytes(127)),
    )


def test_a_folder_or_a_missing_file_is_the_system_s_error(tmp_path):
    with pytest.raises(OSError, match="absent"):
        gguf.open(tmp_path / "absent.gguf")
    with pytest.raises(OSError, match="directory"):
        gguf.open(tmp_path)


def test_a_device_is_no_file():
    with pytest.raises(FileError, match="not a regular file"):
        gguf.open("/dev/null")


def test_write_refuses_blocks_of_another_size(tmp_path):
    with pytest.raises(ValueError, match="w: 12 of uint8, want 34 bytes of Q8_0"):
        gguf_writer.write(tmp_path / "m.gguf", {}, {"w": ("Q8_0", (32,), np.zeros(12, np.uint8))})


def test_every_flipped_byte_of_a_header_is_refused_or_harmless(tmp_path, opened):
    written(tmp_path / "whole.gguf", "Q4_0")
    whole = (tmp_path / "whole.gguf").read_bytes()
    head = gguf.open(tmp_path / "whole.gguf").tensors["w"].offset
    for at in range(head):
        changed = bytearray(whole)
        changed[at] ^= (0x01, 0x80, 0xFF)[at % 3]
        try:
            file = opened(bytes(changed))
            for value in file.metadata.values():
                list(value) if isinstance(value, gguf.Strings) else value
        except EngineError:
            continue


def test_hundreds_of_mutated_models_end_in_an_error_of_ours_or_in_text():
    """The same script runs thousands, in children under a memory limit; see its docstring."""
    command = [sys.executable, ROOT / "bench" / "fuzz_gguf.py", "--json"]
    command += ["--count", "250", "--seed", "7"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=250)
    report = json.loads(ran.stdout)
    assert report["bad"] == []
    assert sum(report["results"].values()) == 250
    assert report["results"]["text"] > 20
    assert ran.returncode == 0


def in_parts(whole: Path, folder: Path, n_parts: int = 3, change=None) -> list[Path]:
    """The tensors of a file dealt to parts by turns, the metadata in the first."""
    with gguf.open(whole) as file:
        paths = [folder / f"m-{i + 1:05}-of-{n_parts:05}.gguf" for i in range(n_parts)]
        for i, path in enumerate(paths):
            names = list(file.tensors)[i::n_parts]
            tensors = {
                n: (file.tensors[n].format, file.tensors[n].shape, np.array(file.tensors[n].data))
                for n in names
            }
            metadata = {"split.no": np.uint16(i).item(), "split.count": n_parts}
            metadata["split.tensors.count"] = len(file.tensors)
            metadata |= file.metadata if i == 0 else {}
            if change:
                change(i, metadata, tensors)
            gguf_writer.write(path, metadata, tensors)
    return paths


def test_a_model_in_parts_is_the_model_in_one(tmp_path, write_model):
    whole = write_model(n_layers=3)
    with Engine(whole) as engine:
        want = engine.logits([1, 2, 3])
    for path in in_parts(whole, tmp_path):
        with Engine(path) as engine:
            assert np.array_equal(engine.logits([1, 2, 3]), want)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda i, m, t: m.update({"split.no": 0}), "split.no is 0, want 1"),
        (lambda i, m, t: i and m.update({"split.no": [1, 2]}), r"split.no is array.*, want 1"),
        (lambda i, m, t: m.update({"split.tensors.count": [7, 8]}), "in all parts, want array"),
        (lambda i, m, t: i and m.pop("split.count"), "split.count is None, want 3"),
        (lambda i, m, t: m.update({"split.tensors.count": 99}), "in all parts, want 99"),
        (
            lambda i, m, t: t.update({"x": ("F32", (1,), np.zeros(4, np.uint8))}),
            "tensor 'x' stands in another part too",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused_by_name(tmp_path, write_model, change, words):
    paths = in_parts(write_model(), tmp_path, change=change)
    with pytest.raises(Malformed, match=words):
        gguf.open(paths[0])


@pytest.mark.parametrize("count", [-3, 10**6, "three", [3, 3]])
def test_a_number_of_parts_that_is_none_is_refused(tmp_path, write_model, count):
    paths = in_parts(
        write_model(), tmp_path, change=lambda i, m, t: m.update({"split.count": count})
    )
    with pytest.raises(Malformed, match=r"split\.count is .*, want 1 to 99999"):
        gguf.open(paths[0])


def test_a_missing_part_and_another_name_are_refused(tmp_path, write_model):
    paths = in_parts(write_model(), tmp_path)
    other = paths[0].rename(tmp_path / "renamed.gguf")
    with pytest.raises(Malformed, match="want a name like x-00001-of-00003"):
        gguf.open(other)
    other.rename(paths[0])
    paths[1].unlink()
    with pytest.raises(FileError, match="part 2 of 3 is missing"):
        gguf.open(paths[2])
