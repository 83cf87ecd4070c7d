"""Lab 2.5 as text with holes; cells begin at the `# %%` lines. It runs as a script and as a notebook.

Owns: what is asked of a student, and the stubs. Must not know: checks, points, solutions, what is
wrong with the engines.
"""

# %% [markdown]
# # Lab 2.5: find the bug
#
# Six engines, each broken in exactly one function.
# All six load the right model, none raises an error, and every one of them writes *something*.
# Your job is what an engineer does with such a report: see the symptom, make a guess that can be proved
# wrong, find the first value that differs, mend the function, and say how you know.
#
# | engine | what a user reports | task |
# |---|---|---|
# | `foreign_words` | English, but an answer to something else | `merge` |
# | `noise` | not one readable word | `dequantize` |
# | `wanders` | words, but no sentence | `rope` |
# | `stutter` | one fitting word, then a stutter | `mask` |
# | `late_collapse` | good for a while, then scraps | `positions` |
# | `obsession` | the penalty against repetition makes it repeat | `penalize` |
#
# ## How to work
#
# For each engine there are four steps.
# Look at the text before you look at the code: with a real model you would have nothing else at first.
#
# 1. **See** it: `broken.BROKEN[name].scene(engine)` plays the scene in which the symptom shows.
# 2. **Guess**: which part of an engine could do this, and which could not?
#    Write the guess down before you go on.
# 3. **Find**: compare every value inside with the right engine's, and look at the first that differs.
# 4. **Mend** the function, and write the paragraph: symptom, evidence, cause, and what you ruled out.
#
# The task's cell is the mended function; `help(broken.Parts)` says what it gets and gives, and
# `broken.source(name)` prints the one that is broken.
# A mended engine must write what the right engine writes, for every prompt; a fix that cures the scene
# alone is not one.
#
# At the end, `lab report 2.5_find_the_bug.ipynb` runs everything and writes the report.

# %%
import numpy as np

from autograder import Checker
from course import broken, lab

np.set_printoptions(precision=4, suppress=True)
check = Checker("2.5_find_the_bug", globals())
RIGHT = broken.right()
PROMPT = "JULIET:\nWherefore art thou Romeo?\n\nROMEO:\n"


def see(name, part=None):
    """The scene as the broken engine plays it (or a mended one), under it the right one."""
    row = broken.BROKEN[name]
    text = row.scene(broken.engine(name, part) if part else broken.engine(name))
    lab.show(
        lab.Text(f"{name}: {row.symptom}\n\n{text}\n\n--- right ---\n{broken.right_text(name)}")
    )


# %% [markdown]
# ## A tool: the first difference
#
# `broken.trace(engine, ids)` runs a prompt and keeps every value by name, in the order of computing.
# `chunks=(9, 1)` runs nine tokens first and shows the pass of the tenth: a prompt and a step of decoding
# take different ways through the code, and some bugs live in one of them alone.
#
# The first name whose value differs is the operation to look at; all later ones only inherit it.
# Float32 arithmetic in another order differs by about a millionth, a bug by far more.


# %%
def first_difference(engine, chunks=None):
    """The first value of a pass that is not the right engine's, and by how much."""
    ids = RIGHT.tokenize(PROMPT)
    cut = (len(ids) - 1, 1) if chunks == "decode" else None
    ours, right = (broken.trace(e, ids, chunks=cut) for e in (engine, RIGHT))
    for name, want in right.items():
        error = np.abs(ours[name] - want).max() / np.abs(want).max()
        if not error < 1e-4:
            return name, float(error)
    return "nothing differs", 0.0


rows = [
    (name, *first_difference(broken.engine(name)), *first_difference(broken.engine(name), "decode"))
    for name in list(broken.BROKEN)[:6]
]
lab.show(lab.table(rows, ["engine", "prompt: first", "by", "decoding: first", "by"]))

# %% [markdown]
# Three of the six show nothing here.
# That is evidence too: the network is right, and the bug is before it, after it, or in what happens to a
# text later on.
#
# ## 1. `foreign_words`
#
# A good tokenizer gives the ids that the model was trained on.
# `decode(encode(text)) == text` is a test that nearly every wrong tokenizer passes: any cut of the text
# gives the text back.

# %%
see("foreign_words")
engine = broken.engine("foreign_words")
text = "Deny thy father"
for e in (engine, RIGHT):
    ids = e.tokenize(text)
    pieces = " | ".join(e.tokenizer.piece(i).decode() for i in ids)
    lab.show(lab.Text(f"{len(ids)} tokens: {pieces}\nback: {e.detokenize(ids)!r}"))
lab.show(lab.Text(broken.source("foreign_words")))

# %% [markdown]
# **Task.** Write `merge` as it should be.
# The vocabulary's scores say which token is made first; SentencePiece goes on until no two neighbours
# make a token.


# %% hole="merge"
def merge(symbols, scores):
    """Join the two neighbours whose union is the token of the highest score, leftmost of equals,
    until no two neighbours make a token.

    symbols: list of str, a text in characters; scores: str -> float, every token of the vocabulary
    -> list of str.
    """
    raise NotImplementedError


# %% check="merge"
check("merge")

# %% [markdown]
# **Write** (2 points): symptom, evidence, cause, and one thing you ruled out and how.

# %% answer="why_foreign_words" points="2"
# YOUR ANSWER HERE

# %% [markdown]
# ## 2. `noise`
#
# Nothing readable at all, with every prompt and every sampler.
# Whatever is broken is used everywhere.

# %%
see("noise")
engine = broken.engine("noise")
ours, right = (e.weight("blk.0.attn_q.weight") for e in (engine, RIGHT))
rows = [(n, w.min(), w.mean(), w.max()) for n, w in (("noise", ours), ("right", right))]
lab.show(lab.table(rows, ["blk.0.attn_q", "least", "mean", "largest"]))
lab.show(lab.Text(broken.source("noise")))

# %% [markdown]
# **Task.** Write `dequantize`.
# Look at the three numbers of the table before you look at the code: weights of a trained layer are
# small and about as often negative as positive.


# %% hole="dequantize"
def dequantize(raw):
    """``x = scale * code`` of blocks of Q8_0: uint8 (rows, 34 n) -> float32 (rows, 32 n).

    A block is a scale (float16) and 32 codes of 8 bits.
    """
    raise NotImplementedError


# %% check="dequantize"
check("dequantize")

# %% [markdown]
# **Write** (2 points): symptom, evidence, cause, and one thing you ruled out and how.

# %% answer="why_noise" points="2"
# YOUR ANSWER HERE

# %% [markdown]
# ## 3. `wanders`
#
# Words are right and sentences are not: what belongs together within a word is seen, what is further
# apart is lost.

# %%
see("wanders")
ids = RIGHT.tokenize(PROMPT)
ours, right = (broken.trace(e, ids)["blk.0.q_rope"] for e in (broken.engine("wanders"), RIGHT))
errors = np.abs(ours - right).max(axis=(1, 2))
lab.show(lab.table(enumerate(errors.tolist()), ["position", "error of q after rope"]))
lab.show(lab.Text(broken.source("wanders")))

# %% [markdown]
# **Task.** Write `rope`.
# The first row of the table says which single token would not have shown the bug.


# %% hole="rope"
def rope(x, positions, frequencies):
    """Turn the pairs of each head by ``position * frequency``, as this model was trained.

    x (T, heads, E), positions (T,), frequencies (E / 2,) -> (T, heads, E).
    """
    raise NotImplementedError


# %% check="rope"
check("rope")

# %% [markdown]
# **Write** (2 points): symptom, evidence, cause, and one thing you ruled out and how.

# %% answer="why_wanders" points="2"
# YOUR ANSWER HERE

# %% [markdown]
# ## 4. `stutter`
#
# The table above says that this engine reads a prompt without a mistake.

# %%
see("stutter")
for chunks in ((len(ids),), (len(ids) - 1, 1)):
    weights = broken.trace(broken.engine("stutter"), ids, chunks=chunks)["blk.0.weights"][0, -1]
    lab.show(lab.Text(f"{chunks}: the last token's attention, head 0\n{weights}"))
lab.show(lab.Text(broken.source("stutter")))

# %% [markdown]
# **Task.** Write `mask`, for a prompt, for one token after a thousand, and for what lies between.


# %% hole="mask"
def mask(n_queries, n_keys):
    """True where query t may look at key s: bool (n_queries, n_keys).

    The queries are the last n_queries of the n_keys tokens.
    """
    raise NotImplementedError


# %% check="mask"
check("mask")

# %% [markdown]
# **Write** (2 points): symptom, evidence, cause, and one thing you ruled out and how.

# %% answer="why_stutter" points="2"
# YOUR ANSWER HERE

# %% [markdown]
# ## 5. `late_collapse`
#
# This engine remembers 64 tokens; when they are full it forgets the oldest and goes on.
# The right one does the same and writes sense all the way.

# %%
see("late_collapse")
engine = broken.engine("late_collapse")
sequence = engine.sequence(
    PROMPT, seed=3, max_tokens=70, token_eviction="window", n_cells=64, temperature=1.0
)
engine.scheduler.add(sequence)
rows = []
while not sequence.reason:
    engine.step()
    if sequence.cells is not None and len(sequence.tokens) > 60:
        cells = sequence.cells
        rows.append((len(sequence.tokens), cells.n, int(cells.positions[-1]), len(cells.positions)))
headings = ["tokens of the text", "stored", "position of the last", "position the part gave"]
lab.show(lab.table([(*r[:3], "?") for r in rows[:12]], headings))
lab.show(lab.Text(broken.source("late_collapse")))

# %% [markdown]
# **Task.** Write `positions`, and fill in the last column in your paragraph for the row after the
# first forgetting.


# %% hole="positions"
def positions(stored, n_new):
    """The positions of the next ``n_new`` tokens: int (n_new,).

    stored: int array, the positions of the tokens that are still in the cache, increasing; it may
    be empty and it may have gaps.
    """
    raise NotImplementedError


# %% check="positions"
check("positions")

# %% [markdown]
# **Write** (2 points): symptom, evidence, cause, and one thing you ruled out and how.

# %% answer="why_late_collapse" points="2"
# YOUR ANSWER HERE

# %% [markdown]
# ## 6. `obsession`
#
# The network is right, token for token: what is wrong happens to the logits.

# %%
see("obsession")
for repeat in (1.0, 1.1, 1.5):
    text = "".join(
        broken.engine("obsession").generate(
            PROMPT, max_tokens=24, temperature=0.0, repeat_penalty=repeat
        )
    )
    lab.show(lab.Text(f"repeat_penalty {repeat}\n{text}"))
logits = RIGHT.logits(ids)[-1]
lab.show(lab.Text(f"logits: {(logits > 0).sum()} positive, {(logits < 0).sum()} negative"))
lab.show(lab.Text(broken.source("obsession")))

# %% [markdown]
# **Task.** Write `penalize`.
# The obvious repair cures this scene and is still wrong; the last line above says why it matters.


# %% hole="penalize"
def penalize(logits, recent, repeat):
    """Logits (V,) in which every token of ``recent`` is less likely, by the factor ``repeat`` > 1.

    recent: list of token ids, with repetitions -> float (V,); a token counts once.
    """
    raise NotImplementedError


# %% check="penalize"
check("penalize")

# %% [markdown]
# **Write** (2 points): symptom, evidence, cause, and one thing you ruled out and how.

# %% answer="why_obsession" points="2"
# YOUR ANSWER HERE

# %% [markdown]
# ## All six mended

# %%
for name, part in {
    "foreign_words": merge,
    "noise": dequantize,
    "wanders": rope,
    "stutter": mask,
    "late_collapse": positions,
    "obsession": penalize,
}.items():
    wrong = broken.what_is_wrong(name, part)
    lab.show(lab.Text(f"{name}: {'mended' if not wrong else wrong[0]}"))

# %% [markdown]
# ## Conclusions
#
# **Write** (4 points): which of the six would your own engine's tests have caught, and which not?
# Name for each kind of bug (tokenizer, weights, network, cache, sampler) the cheapest test that catches
# it, and say why a test on text alone is a poor one.
#
# How answers are marked, here and above: half of the points for a cause that fits the evidence, half
# for evidence that would have looked different had the cause been another.

# %% answer="conclusions" points="4"
# YOUR ANSWER HERE
