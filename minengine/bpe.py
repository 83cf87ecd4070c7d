"""Byte-pair encoding, exactly as llama.cpp's tokenizer model "gpt2" does it.

Owns: the printable alphabet of bytes, the merge inside a word. Must not know: special tokens, the
network. Read before: ``pretokenizers.py``.

A word's bytes are written as printable characters, one for each byte, and vocabularies and merges
are written in them. Beginning with single characters, the neighbours whose merge has the lowest
rank are joined, leftmost first, until no two neighbours have a merge. Sennrich et al. 2016, "Neural
Machine Translation of Rare Words with Subword Units", section 3.2; the alphabet is GPT-2's.
"""

from __future__ import annotations

import codecs
import heapq
from collections.abc import Mapping, Sequence

from minengine.errors import ModelError
from minengine.pretokenizers import Pretokenizer

# bytes that print as themselves; the others follow from U+0100 on, in order
PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
ALPHABET = {b: chr(b) for b in PRINTABLE}
ALPHABET |= {b: chr(0x100 + i) for i, b in enumerate(b for b in range(256) if b not in ALPHABET)}
BYTES = {c: bytes([b]) for b, c in ALPHABET.items()}
LETTERS = [ALPHABET[b].encode() for b in range(256)]  # as they stand in a vocabulary
MOST_WORDS = 1 << 16  # remembered; natural text repeats its words


def skip_byte(e: UnicodeError) -> tuple[str, int]:
    """A byte that begins no character is one U+FFFD, the next byte is tried again."""
    return "\ufffd", e.start + 1


codecs.register_error("minengine-skip-byte", skip_byte)


class Bpe:
    """The merges of one vocabulary, each b"left right". Errors: ``ModelError`` for one that is no
    pair.
    """

    def __init__(
        self, ids: Mapping[bytes, int], merges: Sequence[bytes], pretokenizer: Pretokenizer
    ) -> None:
        self.ids, self.pretokenizer = ids, pretokenizer
        for rank, merge in enumerate(merges):
            if merge.find(b" ", 1) < 0:
                raise ModelError(f"tokenizer.ggml.merges: {merge!r} at {rank}, want two texts")
        # Looked up as they stand in the file: no symbol has a space in it, so "left right" is one
        # pair. Of a pair that stands twice the first counts.
        self.ranks = dict(zip(reversed(merges), range(len(merges) - 1, -1, -1), strict=True))
        self._words: dict[str, list[int]] = {}

    def encode(self, text: bytes) -> list[int]:
        """Ids of a text without special tokens; a byte that is no UTF-8 is read as U+FFFD."""
        out: list[int] = []
        for word in self.pretokenizer.split(text.decode("utf-8", "minengine-skip-byte")):
            found = self._words.get(word)
            if found is None:
                found = self.word([LETTERS[b] for b in word.encode()])
                if len(self._words) < MOST_WORDS:
                    self._words[word] = found
            out += found
        return out

    def word(self, letters: list[bytes]) -> list[int]:
        """Ids of one word, written in the alphabet."""
        whole = self.ids.get(b"".join(letters))
        if whole is not None and self.pretokenizer.whole_words:
            return [whole]
        out = []
        for symbol in self.merge(letters):
            i = self.ids.get(symbol)
            if i is not None:
                out.append(i)
            else:  # its bytes that are tokens, which are ASCII; other letters are lost, as there
                known = (self.ids.get(bytes([b])) for b in symbol)
                out += [i for i in known if i is not None]
        return out

    def merge(self, letters: list[bytes]) -> list[bytes]:
        """The symbols of a word when no two neighbours have a merge any more: O(n log n)."""
        symbols = list(letters)
        right = [*range(1, len(symbols)), -1]
        left = list(range(-1, len(symbols) - 1))
        heap: list[tuple[int, int, bytes, bytes]] = []  # (rank, left symbol, both texts)

        def offer(a: int, b: int) -> None:
            if a < 0 or b < 0:
                return
            rank = self.ranks.get(b"%b %b" % (symbols[a], symbols[b]))
            if rank is not None:
                heapq.heappush(heap, (rank, a, symbols[a], symbols[b]))

        for a in range(len(symbols) - 1):
            offer(a, a + 1)
        while heap:
            _, a, first, second = heapq.heappop(heap)
            b = right[a]
            if b < 0 or symbols[a] != first or symbols[b] != second or not first:
                continue  # another merge has overtaken this one
            symbols[a], symbols[b] = first + second, b""
            right[a] = right[b]
            if right[b] >= 0:
                left[right[b]] = a
            offer(left[a], a)
            offer(a, right[a])
        return [s for s in symbols if s]


def bytes_of(text: str) -> bytes:
    """What a token prints: its characters as the bytes they stand for, others as themselves."""
    return b"".join(BYTES.get(c) or c.encode() for c in text)
