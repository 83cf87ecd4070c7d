"""Lab 2.3 as text with holes; cells begin at the `# %%` lines. It runs as a script and as a notebook.

Owns: what is asked of a student, and the stubs. Must not know: checks, points, solutions. The
experiments are functions of course/experiments/sampling.py.
"""

# %% [markdown]
# # Lab 2.3: sampling experiments
#
# The same model can be dull, lively or mad, and only the sampler decides which.
# Here you put numbers on these words and see what each setting buys and what it costs.
#
# - **Surprise**, in bits a token: how unlikely the text is *to the model itself*, with nothing cut and
#   nothing bent. Two to that power is the perplexity. It stands for quality, up to a point.
# - **Distinct pairs**: of all pairs of neighbouring tokens in the texts of a setting, the share that are
#   different ones. It stands for diversity.
# - **Repetition**: of the triples of one text, the share that stood in it before.
#
# None of them is what a reader wants; together they say more than any one.
# The model is small and speaks like Shakespeare with a fever: judge changes, not verses.
#
# `lab report 2.3_sampling.ipynb` runs the notebook, writes the report and fills in the task `findings`.

# %%
import numpy as np

from autograder import Checker
from course import lab
from course.experiments import sampling
from minengine import Engine

check = Checker("2.3_sampling", globals())
engine = Engine(mode="exact", n_threads=1)

# %% [markdown]
# ## 1. Your prompts
#
# **Task.** Choose three to five prompts of 5 to 200 characters, as different from each other as you can,
# and two to four seeds (whole numbers up to a million).
# A speaker's name with a colon begins a speech; half a sentence leaves less room.


# %% hole="choices"
def choices():
    """The texts of the experiments: a dict with prompts and seeds."""
    return {"prompts": ["ROMEO:\n"], "seeds": [1]}


# %% check="choices"
check("choices")

# %%
prompts, seeds = choices()["prompts"], choices()["seeds"]

# %% [markdown]
# ## 2. The yardsticks
#
# **Task.** Write the three measures; the experiments below use yours.
#
# For surprise remember that only differences of logits count and that exponentials overflow.


# %% hole="surprise"
def surprise(logits, tokens):
    """Mean of ``-log2 p(token)`` in bits a token, p the softmax of the row it was drawn from.

    logits (n, V), tokens n ids -> float.
    """
    raise NotImplementedError


# %% check="surprise"
check("surprise")


# %% hole="distinct"
def distinct(texts, n):
    """Of all runs of n tokens in the texts together, the share that are different ones.

    texts: lists of ids -> float from 0 to 1; 0 where there is no run. No run goes over the end of
    a text.
    """
    raise NotImplementedError


# %% check="distinct"
check("distinct")


# %% hole="repetition"
def repetition(text, n):
    """Of the runs of n tokens in one text, the share that stood in it before: float, 0 to 1."""
    raise NotImplementedError


# %% check="repetition"
check("repetition")

# %%
metrics = {"surprise": surprise, "distinct": distinct, "repetition": repetition}
SIZE = {"seeds": seeds, "n_tokens": 48, "metrics": metrics}

# %% [markdown]
# ## 3. Temperature
#
# Predict: at which temperature is the surprise of the texts the same as that of real text?
# What is the surprise at temperature 0, and why is it not 0?

# %%
lab.show(lab.code(sampling.sweep))

# %%
TEMPERATURES = (0.0, 0.4, 0.7, 1.0, 1.3, 1.7)
by_temperature = sampling.sweep(engine, prompts, "temperature", TEMPERATURES, **SIZE)
lab.show(sampling.draw_sweep(by_temperature, "temperature"))
for t in (0.0, 0.7, 1.7):
    prompt, text = sampling.write(engine, prompts[:1], seeds[:1], 40, temperature=t)[0]
    lab.show(lab.Text(f"temperature {t}\n{engine.detokenize(prompt)}|{engine.detokenize(text)}"))
lab.note("temperature", {p.setting: p.row for p in by_temperature})

# %% [markdown]
# ## 4. Top-k against top-p
#
# Both cut the tail. One keeps a number of tokens, the other a share of the probability.
# Where the model is sure, which of the two cuts more; and where it has no idea?

# %%
cuts = {"top_k 40": {"top_k": 40}, "top_p 0.9": {"top_p": 0.9}, "min_p 0.05": {"min_p": 0.05}}
left = sampling.survivors(engine, prompts[0], cuts)
lab.show(sampling.draw_survivors(left, sampling.entropy(engine, prompts[0])))
lab.note("left", left)

# %%
TOP_K, TOP_P = (1, 3, 10, 40, 0), (0.1, 0.5, 0.8, 0.95, 1.0)
by_k = sampling.sweep(engine, prompts, "top_k", TOP_K, **SIZE)
by_p = sampling.sweep(engine, prompts, "top_p", TOP_P, **SIZE)
rows = [
    (name, p.setting, p.bits, 100 * p.distinct, 100 * p.repetition)
    for name, points in (("top_k", by_k), ("top_p", by_p))
    for p in points
]
lab.show(lab.table(rows, ["cut", "at", "bits a token", "distinct, percent", "repeated, percent"]))
lab.note("top_k", {p.setting: p.row for p in by_k})
lab.note("top_p", {p.setting: p.row for p in by_p})

# %% [markdown]
# A `top_k` of 0 and a `top_p` of 1 are off: both leave the model's own distribution.
#
# ## 5. What diversity costs
#
# Each setting is a point: what it costs in surprise, what it brings in distinct pairs.
# The dotted line is the model's surprise at text that a human wrote.

# %%
HUMAN = (
    "But, soft! what light through yonder window breaks? It is the east, and Juliet is the sun. "
    "Arise, fair sun, and kill the envious moon, who is already sick and pale with grief."
)
ids = engine.tokenize(HUMAN)
human = surprise(engine.logits(ids)[:-1], ids[1:])
sweeps = {"temperature": by_temperature, "top_k": by_k, "top_p": by_p}
lab.show(sampling.draw_trade(sweeps, human))
lab.show(lab.Text(f"the model on this text: {human:.2f} bits a token, perplexity {2**human:.1f}"))
lab.note("human", human)

# %% [markdown]
# ## 6. One prompt is not another
#
# A mean hides what it is a mean of.

# %%
rows = []
for prompt in prompts:
    written = sampling.write(engine, [prompt], seeds, 48, temperature=0.7)
    point = sampling.measure(engine, written, 0.7, metrics)
    rows.append((repr(prompt[:28]), point.bits, 100 * point.distinct, 100 * point.repetition))
lab.show(
    lab.table(rows, ["prompt, temperature 0.7", "bits", "distinct, percent", "repeated, percent"])
)
spread = np.ptp([r[1] for r in rows])
lab.show(lab.Text(f"the prompts differ by up to {spread:.2f} bits a token"))

# %% [markdown]
# ## 7. What was measured
#
# `lab report` writes this cell; there is nothing for you to type.


# %% hole="findings"
def findings():
    """What this notebook measured; `lab report` writes it."""
    raise NotImplementedError


# %% check="findings"
check("findings")

# %% [markdown]
# ## 8. Your analysis
#
# **Temperature** (6 points): what happens to the three measures from 0 to 1.7, and why? Which of your
# predictions failed?
#
# | points | for |
# |---|---|
# | 2 | numbers of this report |
# | 2 | a cause in the distribution of the next token, not in the words |
# | 2 | a prediction, and why it held or failed |

# %% answer="temperature" points="6"
# YOUR ANSWER HERE

# %% [markdown]
# **Cuts** (6 points): where do top-k and top-p do the same, where not, and which would you take for
# an assistant and for a poet? Show it with the survivors of part 4 and the points of part 5.
# Points as above.

# %% answer="cuts" points="6"
# YOUR ANSWER HERE

# %% [markdown]
# **Limits** (6 points): name a text that all three measures would praise and a reader would not.
# How large is the spread between prompts and seeds beside the effects you describe, and what would you
# measure to be sure? Two points for the text, two for the spread in numbers, two for the measurement.

# %% answer="limits" points="6"
# YOUR ANSWER HERE
