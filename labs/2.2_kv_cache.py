"""Lab 2.2 as text with holes; cells begin at the `# %%` lines. It runs as a script and as a notebook.

Owns: what is asked of a student, and the stubs. Must not know: checks, points, solutions. The
measurements are functions of course/experiments/kv_cache.py.
"""

# %% [markdown]
# # Lab 2.2: profile a KV cache
#
# A cache turns quadratic work into linear work and pays with memory.
# In this lab you measure both sides of the bargain on the engine of the course: what a token costs, how
# much of what is taken is filled, what sharing saves, and what is given up when memory runs out.
#
# Blocks, tokens and bytes are *counted*, so they are the same on every machine; seconds are not.
# Before each measurement write down what you expect: a number, or which curve lies above which.
# A prediction that failed is the best part of a report.
#
# What you hand in is this notebook and its report.
# `lab report 2.2_kv_cache.ipynb` runs the notebook from top to bottom, writes the report as one HTML page,
# and puts what was measured into the task `findings`; grading computes the counts again from your choices.

# %%
from autograder import Checker
from course import lab
from course.experiments import kv_cache
from minengine import Engine

check = Checker("2.2_kv_cache", globals())

# %% [markdown]
# ## 1. Your load
#
# **Task.** Choose what is measured: your own texts, so that no two reports are the same.
#
# - `prompt`: a text to be continued, 20 to 400 characters.
# - `prefix`: what many requests begin with (a system prompt), 200 to 800 characters.
# - `questions`: six to ten texts of 10 to 120 characters that follow it, all different.
# - `seed`: any whole number up to a million, for the requests of the last experiment.


# %% hole="choices"
def choices():
    """The load to be measured: a dict with prompt, prefix, questions and seed."""
    return {
        "prompt": "ROMEO:\nWhat light through yonder window breaks?\n",
        "prefix": "",
        "questions": [],
        "seed": 0,
    }


# %% check="choices"
check("choices")

# %%
load = choices()

# %% [markdown]
# ## 2. What a token costs
#
# Every layer keeps one key and one value per token and key/value head.
#
# **Task.** Write the formula.
# Then try it on the models of your daily life before you run the next cell: how many tokens fit into
# a gigabyte?


# %% hole="cache_bytes"
def cache_bytes(n_tokens, block_size, n_layers, n_kv_heads, head_width, bytes_per_element):
    """Bytes that the blocks of n tokens take, whole blocks counted: int."""
    raise NotImplementedError


# %% check="cache_bytes"
check("cache_bytes")

# %%
h = Engine().model.hparams
models = {
    "the packaged model, F32": (h.n_layers, h.G, h.E, 4),
    "Llama 2 7B, F16": (32, 32, 128, 2),
    "Llama 3 8B, F16": (32, 8, 128, 2),
    "Llama 3 70B, F16": (80, 8, 128, 2),
}
rows = []
for name, sizes in models.items():
    token = cache_bytes(1, 1, *sizes)
    rows.append((name, token / 1024, 2**30 // token))
lab.show(lab.table(rows, ["model", "KiB a token", "tokens in a GiB"]))
lab.note("token_bytes", cache_bytes(1, 1, h.n_layers, h.G, h.E, 4))

# %% [markdown]
# ## 3. Memory over time
#
# The pool gives whole blocks; the last one of a text is seldom full.
# What is the most that a sequence can waste, and what does it waste on average?

# %%
lab.show(lab.code(kv_cache.growth))

# %%
BLOCK = 16
engine = Engine(mode="exact", block_size=BLOCK, n_threads=1)
steps = kv_cache.growth(engine, load["prompt"], 100)
lab.show(kv_cache.draw_growth(steps, BLOCK))
idle = sum(s.taken - s.filled for s in steps) / sum(s.taken for s in steps)
lab.show(lab.Text(f"taken and not filled, mean over the run: {100 * idle:.1f} percent"))
lab.note("growth", {"tokens": steps[-1].tokens, "blocks": steps[-1].blocks, "idle": idle})

# %% [markdown]
# ## 4. With and without
#
# Without a cache the keys and values of the whole text are computed again for every token.
# Predict the *shape* of both curves, and the ratio of work at the end.

# %%
N_TOKENS = 64
n_prompt = len(engine.tokenize(load["prompt"]))
with_cache, without = kv_cache.seconds(engine, load["prompt"], N_TOKENS)
lab.show(kv_cache.draw_seconds(with_cache, without, n_prompt))
work = {
    how: kv_cache.work(n_prompt, len(without), cached=how == "with") for how in ("with", "without")
}
rows = [
    ("tokens through the network", work["with"], work["without"], work["without"] / work["with"]),
    ("seconds", sum(with_cache), sum(without), sum(without) / sum(with_cache)),
]
lab.show(lab.table(rows, ["", "with", "without", "ratio"]))
lab.note("work", {**work, "n_prompt": n_prompt, "n_tokens": len(without)})
lab.note("seconds", {"with": sum(with_cache), "without": sum(without)})

# %% [markdown]
# The two ratios differ.
# A prompt goes through the network many tokens at a time, and a pass reads every weight once however
# many tokens it carries.
#
# ## 5. Sharing a prefix
#
# Full blocks are found again by what they hold and what came before them.
# Of your prefix, how many tokens can be shared at most, and why not all?

# %%
lab.show(lab.code(kv_cache.reuse))

# %%
shared, rate = kv_cache.reuse(load["prefix"], load["questions"], block_size=BLOCK)
alone, _ = kv_cache.reuse(load["prefix"], load["questions"], block_size=BLOCK, share=False)
lab.show(kv_cache.draw_reuse(shared, alone))
saved = 1 - sum(r.computed for r in shared) / sum(r.computed for r in alone)
lab.show(lab.Text(f"blocks found {100 * rate:.1f} percent, tokens saved {100 * saved:.1f} percent"))
lab.note("reuse", {"found": [r.found for r in shared], "hit_rate": rate, "saved": saved})

# %% [markdown]
# ## 6. How large is a block?
#
# Small blocks waste little and share more; every block is an entry of a table that attention walks.
# Which size would you choose for your load, and which number would change your mind?

# %%
SIZES = (1, 4, 8, 16, 32, 64, 128)
sizes = kv_cache.block_sizes(load["prefix"], load["questions"], SIZES)
lab.show(kv_cache.draw_sizes(sizes))
rows = [(s.block_size, s.wasted // 1024, s.found, s.entries) for s in sizes]
lab.show(lab.table(rows, ["tokens a block", "KiB wasted", "tokens found", "entries"]))
lab.note("sizes", {s.block_size: [s.wasted, s.found, s.entries] for s in sizes})

# %% [markdown]
# ## 7. Under pressure
#
# When no block is free, one that nobody holds is given up: the one used longest ago (`lru`), the
# oldest (`fifo`), or the least often found (`lfu`).
# The requests follow Zipf's law, and now and then a long text that nobody asks for again sweeps through.
# Which policy suffers from the sweeps, and at which size does it stop to matter?

# %%
lab.show(lab.code(kv_cache.pressure))

# %%
POLICIES, POOLS = ("lru", "fifo", "lfu"), (16, 28, 48)
rows = kv_cache.pressure(POLICIES, POOLS, seed=load["seed"])
lab.show(kv_cache.draw_pressure(rows))
lab.show(
    lab.table(
        [(r.policy, r.n_blocks, 100 * r.hit_rate, r.evicted) for r in rows],
        ["policy", "blocks", "found, percent", "given up"],
    )
)
lab.note("pressure", {f"{r.policy} {r.n_blocks}": [r.hit_rate, r.evicted] for r in rows})

# %% [markdown]
# ## 8. What was measured
#
# `lab report` writes this cell; there is nothing for you to type.


# %% hole="findings"
def findings():
    """What this notebook measured; `lab report` writes it."""
    raise NotImplementedError


# %% check="findings"
check("findings")

# %% [markdown]
# ## 9. Your report
#
# Three answers, each a paragraph or two; they stand in the report beside the charts.
#
# **Cost** (6 points): what does a token cost, how much of the memory taken is idle, and how does that
# follow from the block size? Compare with what you predicted.
#
# | points | for |
# |---|---|
# | 2 | numbers of this report, with units |
# | 2 | a cause for each number, not a description of the chart |
# | 2 | a prediction, and why it held or failed |

# %% answer="cost" points="6"
# YOUR ANSWER HERE

# %% [markdown]
# **Savings** (6 points): what do the cache and sharing save on your load? Why do the two ratios of
# part 4 differ? Which load would make sharing worthless? Points as above.

# %% answer="savings" points="6"
# YOUR ANSWER HERE

# %% [markdown]
# **Recommendation** (6 points): for a server with this model and your load, which block size, which
# policy, how many blocks? Name the number that decides and the one that would change your mind.
# Points as above, the last two for what you would measure next.

# %% answer="recommendation" points="6"
# YOUR ANSWER HERE
