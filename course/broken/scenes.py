"""What is asked of an engine so that its symptom is seen: each scene gives a text.

Owns: the scenes. Must not know: which engine is broken and how: a right one plays them as well.
"""

from __future__ import annotations

from typing import Any

from minengine import Engine

JULIET = "JULIET:\nWherefore art thou Romeo? Deny thy father and refuse thy name.\n\nROMEO:\n"
BLOCK = 16  # tokens of a block in ``shared``
GLOUCESTER = "GLOUCESTER:\nMy lord of Buckingham, the king is dead, and I must have the crown."
NIGHT = "Good night, good night! I would not hear of any thing but sleep till it be day."
QUESTION = (
    "And now I pray you, tell me what you know of this, and who is it that comes so late to speak "
    "with us, and what he would have of us at this hour of the night?"
)
OTHER = "Come hither, and say no more of this to any man that lives, for the time is out of hand."


def spoken(engine: Engine, *, prompt: str = JULIET, **options: Any) -> str:
    """The continuation of a prompt."""
    return "".join(engine.generate(prompt, **({"max_tokens": 40} | options)))


def again(engine: Engine, *, prompt: str = JULIET, max_tokens: int = 40) -> str:
    """Two answers to one prompt: the first is taken back before the second begins."""
    sequence = engine.sequence(prompt, seed=1, max_tokens=max_tokens)
    sequence.keeps_cells = True
    first = "".join(engine.resume(sequence))
    engine.memory.rewind(sequence, sequence.n_prompt)
    sequence.chain.reseed(7)
    second = "".join(engine.resume(sequence))
    engine.memory.release(sequence)
    return f"[1] {first}\n[2] {second}"


def shared(engine: Engine, *, other: str = GLOUCESTER) -> str:
    """The answer to one user's question, which another user has asked before after other words.

    Nothing that this user wrote has a name in it. The cache has blocks of ``BLOCK`` tokens.
    """
    for before, question in ((other, QUESTION), (NIGHT, OTHER)):
        "".join(engine.generate(_prompt(engine, before, question), max_tokens=2, greedy=True))
    asked = _prompt(engine, NIGHT, QUESTION)
    return "".join(engine.generate(asked, max_tokens=40, greedy=True))


def _prompt(engine: Engine, before: str, question: str) -> list[int]:
    """A first block of what was said before, whole blocks of the question, and an empty line."""
    first = engine.tokenize(before)[:BLOCK]
    asked = engine.tokenize(question, add_special=False)
    return first + asked[: len(asked) // BLOCK * BLOCK] + engine.tokenizer.segment(b"\n\n")
