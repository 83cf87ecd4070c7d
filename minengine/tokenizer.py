"""Text to token ids and back, exactly as llama.cpp does it for its models "llama" and "gpt2".

Owns: the vocabulary of a file, special tokens, streaming detokenization. Must not know: the
network, the cache, sampling. Read before: ``spm.py`` ("llama") and ``bpe.py`` ("gpt2"), which
segment what lies between special tokens; the metadata keys are ``gguf.py``'s.

Text is bytes here: a str is UTF-8 on its way in and on its way out, and bytes that are no UTF-8
pass through SPM's byte tokens. SPM writes a space as U+2581, so that one character comes back as a
space; every other text comes back as it was.

A vocabulary has up to a quarter of a million tokens. Opening one makes the texts and the ids by
text, and checks what can be wrong; what a token prints is worked out when it is printed.
"""

from __future__ import annotations

import codecs
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

import minengine.spm as spm
from minengine.bpe import Bpe, bytes_of
from minengine.errors import ModelError, RequestError, Unsupported
from minengine.gguf import Strings
from minengine.pretokenizers import PRETOKENIZERS

MODELS = ("llama", "gpt2")
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
SPACE = "\u2581".encode()

# A token with one of these texts ends generation, whatever its id and type.
END_TEXTS = frozenset(
    "<|eot_id|> <|im_end|> <|end|> <|return|> <|call|> <|flush|> <|calls|> <end_of_turn> "
    "<|endoftext|> </s> <|eom_id|> <EOT> _<EOT> [EOT] [EOS] <|end_of_text|> <end_of_utterance> "
    "<eos> <turn|> <|tool_response> <\uff5cend\u2581of\u2581sentence\uff5c> [e~[".encode().split()
)

# Marks of code models that fill in a middle: the keys of their ids, and where a file has neither
# the texts that such a token is known by.
FIM = {
    keys: texts.encode().split()
    for keys, texts in {
        ("fim_pre", "prefix"): "<|fim_prefix|> <fim-prefix> <fim_prefix> <PRE> \u2581<PRE> "
        "<\uff5cfim\u2581begin\uff5c> <|code_prefix|> <|prefix|>",
        ("fim_suf", "suffix"): "<|fim_suffix|> <fim-suffix> <fim_suffix> <SUF> \u2581<SUF> "
        "<\uff5cfim\u2581hole\uff5c> <|code_suffix|> <|suffix|>",
        ("fim_mid", "middle"): "<|fim_middle|> <fim-middle> <fim_middle> <MID> \u2581<MID> "
        "<\uff5cfim\u2581end\uff5c> <|code_middle|> <|middle|>",
        ("fim_pad",): "<|fim_pad|> <fim-pad> <fim_pad> <PAD> [PAD]",
        ("fim_rep",): "<|fim_repo|> <|repo_name|> <fim-repo> <REPO> <reponame>",
        ("fim_sep",): "<|file_sep|>",
    }.items()
}
ENDS = ("eos", "eot", "eom", "fim_pad", "fim_rep", "fim_sep")  # those that end generation


def utf8(text: str | bytes) -> bytes:
    """The bytes of ``text``; escaped bytes of ``os.fsdecode`` and lone surrogates go through, so
    nothing fails.
    """
    if isinstance(text, bytes):
        return text
    for how in ("strict", "surrogateescape"):
        try:
            return text.encode("utf-8", how)
        except UnicodeEncodeError:
            continue
    return text.encode("utf-8", "surrogatepass")


class Tokenizer:
    """The vocabulary of one file.

    ``metadata`` has the ``tokenizer.ggml.*`` keys. Errors: ``Unsupported`` names a tokenizer model
    that is not one of ``MODELS`` or an unknown pre-tokenizer; ``ModelError`` for a vocabulary that
    is missing or does not fit itself.
    """

    def __init__(self, metadata: Mapping[str, Any]) -> None:
        def key(name: str, default: Any = None) -> Any:
            return metadata.get(f"tokenizer.ggml.{name}", default)

        self.model = key("model")
        if not isinstance(self.model, str):
            raise ModelError("tokenizer.ggml.model: missing or no name, so there is no tokenizer")
        if self.model not in MODELS:
            have = ", ".join(MODELS)
            raise Unsupported(f"tokenizer model {self.model!r}: this engine has {have}")
        is_bpe, self.pre = self.model == "gpt2", key("pre", "default")
        if is_bpe and (not isinstance(self.pre, str) or self.pre not in PRETOKENIZERS):
            have = ", ".join(PRETOKENIZERS)
            raise Unsupported(f"pre-tokenizer {self.pre!r}: this engine has {have}")
        texts = strings("tokens", key("tokens", ()))
        if not texts:
            raise ModelError("tokenizer.ggml.tokens: missing or empty")
        n = len(texts)
        self.texts: list[bytes] = [text or b"[EMPTY_%d]" % i for i, text in enumerate(texts)]
        self.ids: dict[bytes, int] = dict(zip(self.texts, range(n), strict=True))
        self.scores: list[float] = numbers("scores", key("scores", np.zeros(n)), n).tolist()
        types = numbers("token_type", key("token_type", np.full(n, NORMAL)), n).copy()
        defaults = (11, 11, None) if is_bpe else (1, 2, 0)
        self.bos, self.eos, self.unknown = (
            self._id(key, name, d)
            for name, d in zip(("bos", "eos", "unknown"), defaults, strict=True)
        )
        bos_unless = PRETOKENIZERS[self.pre].add_bos if is_bpe else True
        self.add_bos = flag(key, "add_bos_token", bos_unless) and self.bos is not None
        self.add_eos = flag(key, "add_eos_token", False) and self.eos is not None
        self.add_space_prefix = flag(key, "add_space_prefix", not is_bpe)
        self.bpe = None
        if is_bpe:
            merges = strings("merges", key("merges", ()))
            self.bpe = Bpe(self.ids, merges, PRETOKENIZERS[self.pre])
        self.ends = self._ends(key, types)
        self.types: list[int] = types.tolist()
        # Longest first: "<|im_start|>" must not be cut at a shorter special text inside it.
        special = np.flatnonzero(np.isin(types, (CONTROL, USER_DEFINED, UNKNOWN))).tolist()
        self.special = sorted(special, key=lambda i: -len(self.texts[i]))
        # Phi-3's special tokens swallow the white space after them.
        name = str(metadata.get("general.name", "")).lower()
        self.strips = frozenset(special if "phi-3" in name or "phi3" in name else ())
        self.strips -= {self.ids.get(t) for t in (b"<unk>", b"<s>", b"<|endoftext|>")}
        for i in np.flatnonzero(types == BYTE).tolist():
            byte_value(self.texts[i])
        self.byte_ids = [self._byte_id(b) for b in range(256)]

    def _id(self, key: Callable, name: str, default: int | None) -> int | None:
        """The id under ``<name>_token_id``; a default outside the vocabulary is none."""
        got, n = key(f"{name}_token_id"), len(self.texts)
        if got is None:
            return default if default is not None and default < n else None
        if not isinstance(got, int) or not 0 <= got < n:
            raise ModelError(f"tokenizer.ggml.{name}_token_id: {got!r}, there are {n} tokens")
        return got

    def _ends(self, key: Callable, types: np.ndarray) -> set[int]:
        """The ids that end generation. Tokens known by their texts become control tokens."""
        by_text = {self.ids[t] for t in END_TEXTS if t in self.ids}
        ends = by_text | {self.eos} | {self._id(key, name, None) for name in ENDS}
        for names, texts in FIM.items():
            if all(self._id(key, name, None) is None for name in names):
                found = [self.ids[t] for t in texts if t in self.ids][:1]
                by_text.update(found)
                ends.update(found if names[0] in ENDS else ())
        types[list(by_text)] = CONTROL
        return ends - {None}

    def _byte_id(self, b: int) -> int | None:
        """The token of byte ``b``: ``<0xXX>``, else the byte as a text, else the unknown token."""
        return self.ids.get(b"<0x%02X>" % b, self.ids.get(bytes([b]), self.unknown))

    def __len__(self) -> int:
        return len(self.texts)

    def encode(
        self, text: str | bytes, *, add_special: bool = True, parse_special: bool = False
    ) -> list[int]:
        """Token ids of ``text``; it never fails.

        ``add_special`` adds what the file asks for (BOS, EOS). ``parse_special`` turns the texts of
        control tokens ("<s>") into those tokens; without it they are text like any other, so a
        user's text can't forge one.
        """
        text = utf8(text)
        ids = [self.bos] if add_special and self.add_bos else []
        ids += self._encode(text, text if parse_special else hidden(text))
        if add_special and self.add_eos:
            ids.append(self.eos)
        return ids

    def encode_parts(
        self, parts: Iterable[tuple[str, bool]], markers: frozenset[int] = frozenset()
    ) -> list[int]:
        """Ids of a text in parts (text, is it a user's): control tokens stand only where their text
        is nobody's but ours.

        The text is cut and segmented as a whole, so the ids are those of ``encode`` with
        ``parse_special`` unless a user's part has a piece of such a text. ``markers`` are tokens
        that count as control tokens here, though the vocabulary calls them user-defined. No BOS, no
        EOS.
        """
        parts = [(utf8(text), is_users) for text, is_users in parts]
        ours = b"".join(hidden(text) if is_users else text for text, is_users in parts)
        return self._encode(b"".join(text for text, _ in parts), ours, markers)

    def _encode(self, text: bytes, ours: bytes, markers: frozenset[int] = frozenset()) -> list[int]:
        ids: list[int] = []
        for fragment in self.fragments(text, ours, markers):
            ids += [fragment] if isinstance(fragment, int) else self.segment(fragment)
        return ids

    def segment(self, text: bytes) -> list[int]:
        """Ids of a text between special tokens."""
        if self.bpe:
            return self.bpe.encode(text)
        # it is the first or follows a special token, and so begins with a space
        space = SPACE if self.add_space_prefix else b""
        return spm.encode(space + text.replace(b" ", SPACE), self.ids, self.scores, self.byte_ids)

    def fragments(
        self, text: bytes, ours: bytes, markers: frozenset[int] = frozenset()
    ) -> list[bytes | int]:
        """``text`` cut at every special token: bytes between them, ids for them.

        Control tokens and ``markers`` are looked for in ``ours``: the text with ``hidden`` bytes
        where they must not be found. Tokens that are user-defined are found everywhere.
        """
        spans: list[tuple[int, int, int | None]] = [(0, len(text), None)] if text else []
        for i in self.special:
            anywhere = self.types[i] == USER_DEFINED and i not in markers
            where = text if anywhere else ours
            if self.texts[i] in where:
                white = text if i in self.strips else b""
                spans = [s for span in spans for s in cut(where, span, self.texts[i], i, white)]
        return [text[a:b] if i is None else i for a, b, i in spans]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ``ids``; bytes that are no UTF-8 become U+FFFD.

        ``decode(encode(s)) == s`` for every text without U+2581. Errors: ``RequestError`` names an
        id out of range.
        """
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The bytes of ``ids``; the space that ``encode`` put after each special token is taken
        away again.
        """
        out, after_special = [], True
        for i in ids:
            piece = self.piece(i)
            if self.types[i] in (CONTROL, UNKNOWN, USER_DEFINED):
                after_special = True
            else:
                if self.add_space_prefix and after_special:
                    piece = piece.removeprefix(b" ")
                after_special = False
            out.append(piece)
        return b"".join(out)

    def piece(self, i: int) -> bytes:
        """What token ``i`` prints, as bytes: its text with spaces restored, a byte that may be half
        a character, or nothing for control and unused tokens.
        """
        if not 0 <= i < len(self.texts):
            raise RequestError(f"token id {i}: the vocabulary has ids 0 to {len(self.texts) - 1}")
        text, kind = self.texts[i], self.types[i]
        if kind == BYTE:
            return byte_value(text)
        if kind == NORMAL and self.bpe:
            return bytes_of(text.decode("utf-8", "replace"))
        if kind == NORMAL:
            return text.replace(SPACE, b" ")
        return text if kind == USER_DEFINED else b""

    @functools.cached_property
    def bytes_of(self) -> list[bytes]:
        """What each token prints, for what searches the whole vocabulary."""
        return [self.piece(i) for i in range(len(self))]

    def stream(self) -> Stream:
        """A detokenizer for tokens that come one at a time, after a prompt."""
        return Stream(self)


class Stream:
    """Pieces of text from tokens one at a time, never half a character.

    ``push`` returns what is complete; a character whose bytes are spread over tokens waits for its
    last one, and ``flush`` gives what is left at the end. Together they give exactly the text of
    all tokens at once.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._piece = tokenizer.piece
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, i: int) -> str:
        return self._decoder.decode(self._piece(i))

    def flush(self) -> str:
        return self._decoder.decode(b"", final=True)


def flag(key: Callable, name: str, default: bool) -> bool:
    """The boolean under ``name``. Errors: ``ModelError`` for another type."""
    got = key(name, default)
    if not isinstance(got, bool):
        raise ModelError(f"tokenizer.ggml.{name}: {got!r}, want true or false")
    return got


def strings(name: str, values: Any) -> list[bytes]:
    """The strings of a list as UTF-8. Errors: ``ModelError`` where it is none, or has others."""
    if isinstance(values, Strings):
        return values.encoded()
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise ModelError(f"tokenizer.ggml.{name}: want a list of strings")
    if not all(isinstance(v, (str, bytes)) for v in values):
        raise ModelError(f"tokenizer.ggml.{name}: want strings alone")
    return [utf8(v) for v in values]


def numbers(name: str, values: Any, n: int) -> np.ndarray:
    """``values`` as n numbers. Errors: ``ModelError`` for another length, type or NaN."""
    try:
        array = np.asarray(values)
    except ValueError:
        array = np.asarray(None)
    if array.shape != (n,) or array.dtype.kind not in "iuf" or np.isnan(array).any():
        raise ModelError(f"tokenizer.ggml.{name}: want {n} numbers, one for each token")
    return array


def byte_value(text: bytes) -> bytes:
    """The byte of a byte token: ``<0x0A>`` is a newline. Errors: ``ModelError`` for another
    text.
    """
    try:
        if text.startswith(b"<0x") and text.endswith(b">") and len(text) == 6:
            return bytes([int(text[3:5], 16)])
    except ValueError:
        pass
    raise ModelError(f"byte token {text!r}: want a text like b'<0x0A>'")


def hidden(text: bytes) -> bytes:
    """As many bytes that are in no token's text, for UTF-8 has no such byte."""
    return b"\xff" * len(text)


def cut(
    text: bytes, span: tuple[int, int, int | None], special: bytes, i: int, white: bytes
) -> Iterator[tuple[int, int, int | None]]:
    """A span (begin, end, token or None) cut where the text of the token ``i`` stands in it.

    What is white space in ``white``, if that is given, goes after an occurrence.
    """
    a, b, token = span
    while token is None and (at := text.find(special, a, b)) >= 0:
        if a < at:
            yield a, at, None
        a = at + len(special)
        yield at, a, i
        while a < b and white[a : a + 1].isspace():
            a += 1
    if a < b:
        yield a, b, token
