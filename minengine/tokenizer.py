"""Text to token ids and back, exactly as llama.cpp's SPM tokenizer (model "llama") does it.

Owns: the vocabulary of a file, the merge, byte fallback, streaming detokenization. Must not know:
the network, the cache, sampling. Read before: ``errors.py``; the metadata keys are ``gguf.py``'s.

Text is bytes here: a str is UTF-8 on its way in and on its way out, and bytes that are no UTF-8
pass through byte tokens. SPM writes a space as U+2581, so that one character comes back as a space;
every other text comes back as it was. Source: SentencePiece (Kudo and Richardson 2018), section
3.2, in the form GGUF files and llama.cpp give it.
"""

from __future__ import annotations

import codecs
import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from minengine.errors import ModelError, RequestError, Unsupported

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
SPACE = "\u2581".encode()

# A token with one of these texts ends generation, whatever its id and type.
END_TEXTS = frozenset(
    b"<|eot_id|> <|im_end|> <|end|> <|return|> <|call|> <|flush|> <|calls|> <end_of_turn> "
    b"<|endoftext|> </s> <|eom_id|> <EOT> _<EOT> [EOT] [EOS] <|end_of_text|> <end_of_utterance> "
    b"<eos> <turn|>".split()
)


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
    that is not a row of ``TOKENIZERS``; ``ModelError`` for a vocabulary that is missing or does not
    fit itself.
    """

    def __init__(self, metadata: Mapping[str, Any]) -> None:
        def key(name: str, default: Any = None) -> Any:
            return metadata.get(f"tokenizer.ggml.{name}", default)

        self.model = key("model")
        if not isinstance(self.model, str):
            raise ModelError("tokenizer.ggml.model: missing or no name, so there is no tokenizer")
        if self.model not in TOKENIZERS:
            have = ", ".join(TOKENIZERS)
            raise Unsupported(f"tokenizer model {self.model!r}: this engine has {have}")
        self.segment = TOKENIZERS[self.model]
        tokens = key("tokens")
        if not isinstance(tokens, Sequence) or isinstance(tokens, str) or not len(tokens):
            raise ModelError("tokenizer.ggml.tokens: missing or empty")
        if not all(isinstance(t, (str, bytes)) for t in tokens):
            raise ModelError("tokenizer.ggml.tokens: want strings alone")
        n = len(tokens)
        self.texts: list[bytes] = [utf8(t) or b"[EMPTY_%d]" % i for i, t in enumerate(tokens)]
        self.scores: list[float] = numbers("scores", key("scores", [0.0] * n), n)
        self.types: list[int] = numbers("token_type", key("token_type", [NORMAL] * n), n)
        self.ids: dict[bytes, int] = {text: i for i, text in enumerate(self.texts)}
        self.bos, self.eos = (self._id(key, name, d) for name, d in (("bos", 1), ("eos", 2)))
        self.unknown = self._id(key, "unknown", 0)
        self.add_bos = flag(key, "add_bos_token", True) and self.bos is not None
        self.add_eos = flag(key, "add_eos_token", False) and self.eos is not None
        self.add_space_prefix = flag(key, "add_space_prefix", True)
        ends = {self.ids[t] for t in END_TEXTS & self.ids.keys()}
        for i in ends:
            self.types[i] = CONTROL
        self.ends = ends | {self._id(key, name, None) for name in ("eos", "eot", "eom")} - {None}
        if self.eos is not None:
            self.ends.add(self.eos)
        # Longest first: "<|im_start|>" must not be cut at a shorter special text inside it.
        special = [i for i, t in enumerate(self.types) if t in (CONTROL, USER_DEFINED, UNKNOWN)]
        self.special = sorted(special, key=lambda i: -len(self.texts[i]))
        self.bytes_of = [self._bytes_of(i) for i in range(n)]
        self.byte_ids = [self._byte_id(b) for b in range(256)]

    def _id(self, key: Callable, name: str, default: int | None) -> int | None:
        """The id under ``<name>_token_id``; a default outside the vocabulary is none."""
        got, n = key(f"{name}_token_id"), len(self.texts)
        if got is None:
            return default if default is not None and default < n else None
        if not isinstance(got, int) or not 0 <= got < n:
            raise ModelError(f"tokenizer.ggml.{name}_token_id: {got!r}, there are {n} tokens")
        return got

    def _bytes_of(self, i: int) -> bytes:
        """What token ``i`` prints: a byte, its text with spaces restored, or nothing for control
        and unused tokens.
        """
        text, kind = self.texts[i], self.types[i]
        if kind == BYTE:
            return byte_value(text)
        if kind == NORMAL:
            return text.replace(SPACE, b" ")
        return text if kind == USER_DEFINED else b""

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
        ids = [self.bos] if add_special and self.add_bos else []
        space = SPACE if self.add_space_prefix else b""
        for fragment in self.fragments(utf8(text), parse_special):
            if isinstance(fragment, int):
                ids.append(fragment)
            else:  # it is the first or follows a special token, and so begins with a space
                ids += self.segment(self, space + fragment.replace(b" ", SPACE))
        if add_special and self.add_eos:
            ids.append(self.eos)
        return ids

    def fragments(self, text: bytes, parse_special: bool) -> list[bytes | int]:
        """``text`` cut at every special token: bytes between them, ids for them."""
        parts: list[bytes | int] = [text] if text else []
        for i in self.special:
            if self.types[i] != USER_DEFINED and not parse_special:
                continue
            if self.texts[i] in text:
                parts = [piece for p in parts for piece in cut(p, self.texts[i], i)]
        return parts

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
        """What token ``i`` prints, as bytes: one token may be half a character."""
        if not 0 <= i < len(self.texts):
            raise RequestError(f"token id {i}: the vocabulary has ids 0 to {len(self.texts) - 1}")
        return self.bytes_of[i]

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


def numbers(name: str, values: Any, n: int) -> list:
    """``values`` as a list of n numbers. Errors: ``ModelError`` for another length, type or NaN."""
    try:
        array = np.asarray(values)
    except ValueError:
        array = np.asarray(None)
    if array.shape != (n,) or array.dtype.kind not in "iuf" or np.isnan(array).any():
        raise ModelError(f"tokenizer.ggml.{name}: want {n} numbers, one for each token")
    return array.tolist()


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


def cut(part: bytes | int, text: bytes, i: int) -> Iterator[bytes | int]:
    """``part`` with every occurrence of ``text`` replaced by the id ``i``; an id stays as it is."""
    if isinstance(part, int):
        yield part
        return
    pieces = part.split(text)
    for n, piece in enumerate(pieces):
        if n:
            yield i
        if piece:
            yield piece


def characters(text: bytes) -> list[int]:
    """Where characters begin, by first byte alone as llama.cpp does: 0xxx and 10xx are one byte,
    110x two, and so on.
    """
    starts, at = [], 0
    while at < len(text):
        starts.append(at)
        first = text[at]
        at += 1 if first < 0xC0 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    return starts


def spm(tokenizer: Tokenizer, text: bytes) -> list[int]:
    """SentencePiece merging: join the adjacent pair whose union is the token of highest score,
    leftmost first.

    Begins with characters and ends when no two neighbours make a token. A character that is no
    token becomes its bytes. Pairs wait in a heap; one that a merge has overtaken is recognised by
    its size and dropped. O(n log n).
    """
    ids, scores = tokenizer.ids, tokenizer.scores
    start = characters(text)
    n = len(start)
    end = [
        *start[1:],
        len(text),
    ]  # of the symbol that begins at this character; 0 once it is merged away
    left, right = list(range(-1, n - 1)), [*range(1, n), -1]
    heap: list[
        tuple[float, int, int, int]
    ] = []  # (-score, symbol, right neighbour, end of the union)

    def offer(a: int, b: int) -> None:
        if a >= 0 and b >= 0 and (i := ids.get(text[start[a] : end[b]])) is not None:
            heapq.heappush(heap, (-scores[i], a, b, end[b]))

    for a in range(n - 1):
        offer(a, a + 1)
    while heap:
        _, a, b, union_end = heapq.heappop(heap)
        if end[a] != start[b] or end[b] != union_end:
            continue
        end[a], end[b] = end[b], 0
        right[a] = right[b]
        if right[b] >= 0:
            left[right[b]] = a
        offer(left[a], a)
        offer(a, right[a])
    out: list[int] = []
    a = 0 if n else -1
    while a >= 0:
        symbol = text[start[a] : end[a]]
        if (i := ids.get(symbol)) is not None:
            out.append(i)
        else:
            out += [j for b in symbol if (j := tokenizer.byte_ids[b]) is not None]
        a = right[a]
    return out


TOKENIZERS: dict[str, Callable[[Tokenizer, bytes], list[int]]] = {"llama": spm}
