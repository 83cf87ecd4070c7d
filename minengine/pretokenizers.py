"""Pre-tokenizers of BPE: rules that cut a text into words before pairs are merged inside each.

Owns: PRETOKENIZERS, a row for each ``tokenizer.ggml.pre``. Must not know: vocabularies, ids. Read
before: nothing; read after: ``bpe.py``.

A rule is a list of regular expressions; each cuts the pieces that the one before left, and what it
does not match stays a piece. ``\\p{L}`` and its like are Unicode categories. Python's ``re`` has
none, so such an expression runs on a shadow of the text in which every character past ASCII is
replaced by one that stands for its category. Other expressions run on the text itself. In both,
white space past ASCII is replaced by an ASCII one. These are llama.cpp's semantics
(unicode_regex_split).
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

# The first letter of a category -> the character that stands for it in the shadow, and what of
# ASCII is in it.
SHADOWS = {
    "N": ("\xd1", "0-9"),
    "L": ("\xd2", "A-Za-z"),
    "P": ("\xd3", r"!-#%-*,-/:;?@\[-\]_{}"),
    "M": ("\xd4", ""),
    "S": ("\xd5", r"$+<->^`|~"),
}
OTHER, WHITE = "\xd0", "\x0b"
SPACES = frozenset("\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000") | {
    chr(c) for c in range(0x2000, 0x200B)
}
SPACED = dict.fromkeys(map(ord, SPACES), WHITE)


@dataclass(frozen=True)
class Pretokenizer:
    """A row: the expressions, and what else the name says of a vocabulary."""

    rules: tuple[str, ...]
    add_bos: bool = False
    whole_words: bool = False  # a word that is a token is that token, whatever merges would make

    def split(self, text: str) -> list[str]:
        """The words of a text; joined they are the text."""
        pieces = [text] if text else []
        for rule in self.rules:
            pieces = [word for piece in pieces for word in cut(piece, rule)]
        return pieces


def cut(piece: str, rule: str) -> Iterable[str]:
    """Matches of one rule and what lies between them."""
    pattern, shadowed = compiled(rule)
    at = 0
    for match in pattern.finditer(shadow(piece) if shadowed else piece.translate(SPACED)):
        if match.start() > at:
            yield piece[at : match.start()]
        if match.end() > match.start():
            yield piece[match.start() : match.end()]
        at = max(at, match.end())
    if at < len(piece):
        yield piece[at:]


@functools.cache
def compiled(rule: str) -> tuple[re.Pattern, bool]:
    """A rule for Python's ``re``, and whether it runs on the shadow."""
    shadowed = "\\p{" in rule
    parts = re.split(r"(\\p\{.\}|\\.|\[|\])", rule)
    out, inside = [], False
    for part in parts:
        if part in ("[", "]"):
            inside = part == "["
        if part.startswith("\\p{"):
            mark, ascii_set = SHADOWS[part[3]]
            part = ascii_set + mark if inside else f"[{ascii_set}{mark}]"
        out.append(part)
    return re.compile("".join(out), re.ASCII), shadowed


def shadow(text: str) -> str:
    """The text with every character past ASCII replaced by the one of its category."""
    return text if text.isascii() else "".join(map(shadow_of, text))


@functools.lru_cache(maxsize=1 << 16)
def shadow_of(c: str) -> str:
    if c < "\x80":
        return c
    if c in SPACES:
        return WHITE
    return SHADOWS.get(unicodedata.category(c)[0], (OTHER,))[0]


def ranges(text: str) -> str:
    """The inside of a character class from hexadecimal code points: "41-5A B5"."""
    return "".join("-".join(chr(int(end, 16)) for end in item.split("-")) for item in text.split())


# The table ----------------------------------------------------------------------------------------

SUFFIXES = "'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)"
LINES = r"\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = (
    rf"(?:{SUFFIXES})|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}"
    rf"| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{LINES}"
)
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}|", r"\p{N}|")
# words of capitals and then small letters; only ASCII letters have a case here
UPPER, LOWER = r"((?=[\p{L}])([^a-z]))", r"((?=[\p{L}])([^A-Z]))"
FIRST = r"[^\r\n\p{L}\p{N}]?"
CAMEL = rf"{FIRST}{UPPER}*{LOWER}+%s|{FIRST}{UPPER}+{LOWER}*%s|"
MARKS = rf" ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{LINES}"
TEKKEN = CAMEL % ("", "") + r"\p{N}|" + MARKS
GPT4O = CAMEL % (f"(?:{SUFFIXES})?", f"(?:{SUFFIXES})?") + r"\p{N}{1,3}|" + MARKS
# letters of scripts with two cases, as DeepSeek's tokenizer lists them
CASED = ranges("""
    41-5A 61-7A B5 C0-D6 D8-F6 F8-1BA 1BC-1BF 1C4-293 295-2AF 370-373 376 377 37B-37D 37F 386
    388-38A 38C 38E-3A1 3A3-3F5 3F7-481 48A-52F 531-556 10A0-10C5 13A0-13F5 13F8-13FD 1C90-1CBA
    1CBD-1CBF 1D00-1D2B 1D6B-1D77 1D79-1D9A 1E00-1F15 1F18-1F1D 1F20-1F45 1F48-1F4D 1F50-1F57
    1F59 1F5B 1F5D 1F5F-1F7D 1F80-1FB4 1FB6-1FBC 1FBE 1FC2-1FC4 1FC6-1FCC 1FD0-1FD3 1FD6-1FDB
    1FE0-1FEC 1FF2-1FF4 1FF6-1FFC 2102 2107 210A-2113 2115 2119-211D 2124 2126 2128 212A-212D
    212F-2134 2139 213C-213F 2145-2149 214E 2183 2184 2C00-2C7B 2C7E-2CE4 2CEB-2CEE 2CF2 2CF3
    A640-A66D A680-A69B A722-A76F A771-A787 A78B-A78E AB70-ABBF FB00-FB06 FB13-FB17 FF21-FF3A
    FF41-FF5A 10400-1044F 104B0-104D3 104D8-104FB 10C80-10CB2 10CC0-10CF2 118A0-118DF
    1E900-1E943
""")
CHINESE = ranges("4E00-9FA5 800-4E00 AC00-D7FF")
CHINESE_JAPANESE = ranges("4E00-9FA5 3040-309F 30A0-30FF")
WIDE_MARKS = ranges("FF01-FF0F FF1A-FF5E 2018-201F 3000-3002")
DEEPSEEK_LLM = (
    "[\r\n]",
    rf"\s?[{CASED}]+",
    rf"\s?[!-/:-~{WIDE_MARKS}]+",
    r"\s+\Z",
    f"[{CHINESE}]+",
    r"\p{N}+",
)
DEEPSEEK_CODER = ("[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", f"[{CHINESE}]+", r"\p{N}")
DEEPSEEK_V3 = (
    r"\p{N}{1,3}",
    f"[{CHINESE_JAPANESE}]+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
    rf"| ?[\p{{P}}\p{{S}}]+[\r\n]*|{LINES}",
)
FALCON = (r"[\p{P}\$\+<=>\^~\|`]+", GPT2, "[0-9][0-9][0-9]")
DEFAULT = (r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]")
DIGITS = (r"\p{N}", GPT2)


def rows(pretokenizer: Pretokenizer, names: str) -> dict[str, Pretokenizer]:
    """One rule under every name that files give it."""
    return dict.fromkeys(names.split(), pretokenizer)


PRETOKENIZERS = {
    **rows(Pretokenizer(DEFAULT), "default"),
    **rows(
        Pretokenizer((LLAMA3,), add_bos=True, whole_words=True),
        "llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano",
    ),
    **rows(Pretokenizer((LLAMA3,)), "dbrx smaug-bpe"),
    **rows(Pretokenizer((QWEN2,)), "qwen2 deepseek-r1-qwen kormo f2llmv2 megrez stablelm2"),
    **rows(
        Pretokenizer((GPT2,)),
        "gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es jina-v2-de a.x-4.0 mellum modern-bert"
        " mpt olmo jais exaone4",
    ),
    **rows(Pretokenizer(DIGITS), "starcoder refact command-r smollm codeshell exaone minerva-7b"),
    **rows(Pretokenizer((GPT4O,)), "gpt-4o llama4 kanana2 talkie"),
    **rows(Pretokenizer((TEKKEN,), add_bos=True, whole_words=True), "tekken"),
    **rows(Pretokenizer(DEEPSEEK_LLM), "deepseek-llm"),
    **rows(Pretokenizer(DEEPSEEK_CODER), "deepseek-coder"),
    **rows(Pretokenizer(DEEPSEEK_V3), "deepseek-v3"),
    **rows(Pretokenizer(FALCON), "falcon"),
}
