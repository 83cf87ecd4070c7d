"""Assignment 3 as text with holes; cells begin at the `# %%` lines.

Owns: what is asked of a student, and the stubs. Must not know: checks, points, solutions.
Every block of numbers is recomputed by tests/assignments/test_sampling.py.
"""

# %% [markdown]
# # Assignment 3: a sampling library
#
# A language model does not write; it gives one number per token of its vocabulary, the **logits**.
# What comes next is decided by a few lines of code that most people never read: which tokens may come
# at all, how their odds are bent, and one random number.
# These lines make the same model dull, lively or mad, and they are where "it repeats itself" and "it
# writes nonsense" are mended first.
# Here you write them with the meaning they have in llama.cpp, token for token.
#
# | task | name | idea |
# |---|---|---|
# | 1 | `softmax` | from numbers to odds |
# | 2 | `greedy` | no chance at all |
# | 3 | `temperature` | bend the odds |
# | 4 | `top_k` | a fixed number of tokens |
# | 5 | `top_p` | a fixed share of the odds |
# | 6 | `min_p` | measured against the likeliest |
# | 7 | `typical` | neither too likely nor too odd |
# | 8 | `penalties` | look back at what was said |
# | 9 | `draw` | one number, one token |
# | 10 | `draw_many` | a seed is a text |
# | 11 | `Mirostat2` | steer the surprise |
# | 12 | `Mirostat1` | steer it by Zipf's law |
# | 13 | `Sampler` | the chain |
#
# ## How it works
#
# Each task ends with a check: run your cell, then the check below it.
# It says which idea is wrong, not only that a number is.
# `autograder check` on the saved notebook runs the same checks and the hidden ones.
# Hidden checks have no tricks: they ask for what is written here, on other inputs.
# What is handed in is the cell of each task; a helper goes into the cell that needs it, and later cells
# can use it.
# A mistake costs its points once: what is wrong only because your `softmax` is, is checked again with
# a right one in its place, and the check says so.
#
# ## The contract
#
# - **A row** is an array of V logits, one per token; a token's id is its place in the row.
#   Rows may be float16, float32 or float64.
# - **A filter** takes a row and gives a row of the same length in the same order.
#   What it rules out is `-inf` there; every other logit is what it was.
#   Nothing is sorted in what you return, and filters give logits, not probabilities.
# - **What is ruled out stays so.** A row may have `-inf` in it already: such a token has
#   probability 0 and no part in any sum.
# - **Types out.** float32 or float64, whichever you like; never float16, even when float16 goes in.
#   A token id is any kind of whole number.
# - **Inputs are not yours.** Change none of them, and return arrays with memory of their own, also
#   where a filter is off.
# - **Ties.** Which of several equal logits a filter keeps is up to you; how many it keeps is not.
#   llama.cpp leaves it open too, for its partial sort does.
# - **Warnings and prints** cost nothing, and neither does speed; NumPy is all you need.
#
# Run the next cell once.

# %%
import numpy as np

from autograder import Checker

np.set_printoptions(precision=4, suppress=True)
check = Checker("03_sampling", globals())

# %% [markdown]
# ## 1. Softmax: from numbers to odds
#
# $$ p_i = \frac{e^{x_i}}{\sum_j e^{x_j}} $$
#
# Only differences of logits matter: all may move together and no $p_i$ changes.
# That is why they can be moved to where exponentials are safe; $e^{710}$ is more than a float64 holds.
#
# By hand:
#
# ```
# logits            2.0000   1.0000   0.0000  -1.0000
# exp(x - 2)        1.0000   0.3679   0.1353   0.0498   sum 1.5530
# p                 0.6439   0.2369   0.0871   0.0321
# ```
#
# `-inf` is a token that is ruled out: its probability is 0.
# A row with NaN or `+inf`, or with nothing but `-inf`, has no distribution; a sampler that goes on with
# one prints rubbish for hours, so it is a `ValueError`.
#
# **Task.** Write `softmax`.


# %% hole="softmax"
def softmax(logits):
    """Probabilities of a row.

    logits (V,), -inf allowed -> (V,), none negative, their sum 1. ValueError where there are none:
    NaN, +inf, nothing above -inf.
    """
    raise NotImplementedError


# %% check="softmax"
check("softmax")

# %% [markdown]
# ## 2. Greedy: no chance at all
#
# The likeliest token, always.
# Softmax keeps the order of the logits, so none is needed.
# Of equal logits the one with the lowest id wins, so that two machines write the same text.
#
# **Task.** Write `greedy`.
# What does `np.argmax` say of a row with a NaN in it?


# %% hole="greedy"
def greedy(logits):
    """The id of the largest logit; of equal ones the lowest id.

    logits (V,), -inf allowed, not everywhere -> int. ValueError for a row with NaN.
    """
    raise NotImplementedError


# %% check="greedy"
check("greedy")

# %% [markdown]
# ## 3. Temperature: bend the odds
#
# $$ x_i' = \frac{x_i}{t} $$
#
# Divided by 2, differences of logits halve and odds lose a root: what was 100 times as likely is 10
# times as likely.
# Below 1 the likely gets likelier, in the limit it is all that is left; so `t <= 0` means greedy:
# the largest logit stays what it is, everything else is ruled out.
#
# ```
# logits            2.0000   1.0000  -1.0000
# p at t = 1        0.7054   0.2595   0.0351
# t = 2             1.0000   0.5000  -0.5000
# p at t = 2        0.5465   0.3315   0.1220
# ```
#
# **Task.** Write `temperature`.


# %% hole="temperature"
def temperature(logits, t):
    """The row divided by t; t <= 0 leaves the token that `greedy` takes, with its logit, alone.

    logits (V,), t a number -> (V,).
    """
    raise NotImplementedError


# %% check="temperature"
check("temperature")

# %% [markdown]
# ## 4. Top-k: a fixed number of tokens
#
# A vocabulary has a hundred thousand tokens, most of them absurd here, and each has some
# probability: together they are drawn every few words.
# Top-k keeps the k largest logits and rules out the rest.
#
# ```
# logits            1.0000   3.0000   0.0000   2.0000
# top_k, k = 2        -inf   3.0000     -inf   2.0000
# ```
#
# k of 0 or less is off: everything stays.
# More than V is V.
#
# **Task.** Write `top_k`.
# Exactly k stay, also where the k-th has equals.


# %% hole="top_k"
def top_k(logits, k):
    """Keep the k largest logits; k <= 0 is off.

    logits (V,), k int -> (V,) with -inf for what is ruled out.
    """
    raise NotImplementedError


# %% check="top_k"
check("top_k")

# %% [markdown]
# ## 5. Top-p: a fixed share of the odds
#
# After "the capital of France is" one token will do, after "once upon a" a few, after a full stop
# hundreds.
# Top-p ("nucleus") asks how many are needed for a share p of the probability: sort by probability,
# add up from the likeliest, stop **at** the token where the sum reaches p.
# That token is kept.
#
# $$ n = \min \{\, n : p_{(1)} + \dots + p_{(n)} \ge p \,\} $$
#
# ```
# probabilities     0.1000   0.5000   0.1500   0.2500
# sorted            0.5000   0.2500   0.1500   0.1000
# running sum       0.5000   0.7500   0.9000   1.0000
# p = 0.7             drop     keep     drop     keep   ids 1 and 3
# ```
#
# p of 1 or more is off.
# At least `min_keep` tokens stay, so p = 0 leaves the likeliest.
# Probabilities are those of the row as it comes: if top-k was there before, of what it left.
#
# **Task.** Write `top_p`.
# You sort to find out how many stay; how do you get back to ids?


# %% hole="top_p"
def top_p(logits, p, min_keep=1):
    """Keep the fewest of the likeliest tokens that together have probability p; p >= 1 is off.

    logits (V,), p a number, min_keep int >= 1 -> (V,) with -inf for what is ruled out.
    """
    raise NotImplementedError


# %% check="top_p"
check("top_p")

# %% [markdown]
# ## 6. Min-p: measured against the likeliest
#
# Top-p still lets in a long tail when the model is unsure.
# Min-p rules out what is less than p times as likely as the likeliest token:
#
# $$ p_i \ge p \cdot p_{\max} \quad\Longleftrightarrow\quad x_i \ge x_{\max} + \ln p $$
#
# The right-hand side needs no softmax.
#
# ```
# probabilities     0.5000   0.0700   0.2800   0.1500
# p = 0.2             keep     drop     keep     keep   0.2 * 0.5 = 0.1
# ```
#
# p of 0 or less is off.
# If fewer than `min_keep` are likely enough, the `min_keep` likeliest stay; so a p above 1 leaves one.
#
# **Task.** Write `min_p`.


# %% hole="min_p"
def min_p(logits, p, min_keep=1):
    """Keep the tokens at least p times as likely as the likeliest; p <= 0 is off.

    logits (V,), p a number, min_keep int >= 1 -> (V,) with -inf for what is ruled out.
    """
    raise NotImplementedError


# %% check="min_p"
check("min_p")

# %% [markdown]
# ## 7. Typical: neither too likely nor too odd
#
# People do not always say the likeliest thing: it would say nothing.
# The **surprise** of a token is $-\ln p_i$, its mean is the **entropy** $H = -\sum_i p_i \ln p_i$,
# and what people write lies near the mean.
# So sort the tokens by $|-\ln p_i - H|$, the nearest first, and keep them until their probabilities
# sum to **more than** p (here, unlike in top-p, a sum of exactly p is not enough).
# The likeliest token may well be ruled out.
#
# ```
# probabilities     0.1000   0.5000   0.1500   0.2500
# surprise          2.3026   0.6931   1.8971   1.3863   entropy 1.2080
# distance          1.0946   0.5148   0.6891   0.1783
# nearest first       id 3     id 1     id 2     id 0
# running sum       0.2500   0.7500   0.9000   1.0000
# p = 0.6             drop     keep     drop     keep
# ```
#
# p of 1 or more is off, and at least one token stays.
# Mind $0 \cdot \ln 0$: what is ruled out adds nothing to the entropy and is never kept.
# (llama.cpp has a `min_keep` here as well; two are enough for us.)
#
# **Task.** Write `typical`.


# %% hole="typical"
def typical(logits, p):
    """Keep the tokens whose surprise is nearest to the entropy until they sum to more than p.

    logits (V,), p a number, p >= 1 is off -> (V,) with -inf for what is ruled out.
    """
    raise NotImplementedError


# %% check="typical"
check("typical")

# %% [markdown]
# ## 8. Penalties: look back at what was said
#
# A model that has said something finds it likely to say it again, and runs in circles.
# Three penalties make a token less likely that occurs among the last `last_n`:
#
# | penalty | what it does to the logit of a token that was said |
# |---|---|
# | `repeat` | a logit above 0 is divided by it, one of 0 or below is multiplied; once, however often it was said |
# | `frequency` | taken away as often as it was said |
# | `presence` | taken away once |
#
# `repeat` comes first, then the two others.
# A negative logit divided by 2 would be *nearer* to zero, and the token likelier: hence the multiplication.
#
# ```
# logits            2.0000  -2.0000   0.0000   1.0000
# times said             1        1        1        0
# repeat = 2        1.0000  -4.0000   0.0000   1.0000
# ```
#
# `last_n` of 0 looks at nothing, -1 at the whole history, and one that is longer than the history
# at all of it.
# (llama.cpp's tools document -1 as the size of the context.)
# Off are `repeat` 1, `frequency` 0, `presence` 0; a negative `frequency` rewards.
#
# **Task.** Write `penalties`.


# %% hole="penalties"
def penalties(logits, history, last_n=64, repeat=1.0, frequency=0.0, presence=0.0):
    """Make tokens less likely that occur among the last `last_n` of the history.

    logits (V,), history a list of token ids, the latest last, perhaps empty -> (V,).
    """
    raise NotImplementedError


# %% check="penalties"
check("penalties")

# %% [markdown]
# ## 9. A draw: one number, one token
#
# Lay the probabilities of the tokens side by side, **in the order of their ids**, and they fill the
# line from 0 to 1.
# A number u falls into one of them, and that token is drawn:
#
# ```
#   id      0         1                        2
#        |---------|------------------------|--------------|
#   u    0        0.2                      0.7             1
# ```
#
# $$ \mathrm{draw}(u) = \min \{\, i : p_0 + \dots + p_i \ge u,\; p_i > 0 \,\} $$
#
# ```
# probabilities     0.2000   0.5000   0.3000
# running sum       0.2000   0.7000   1.0000
# u                 0.1000   0.6000   0.9000
# token                  0        1        2
# ```
#
# u comes from [0, 1).
# A u of 0 never draws a token that is ruled out, and a u just below 1 never runs past the end, even
# where rounding leaves the last sum below it.
# With a hundred thousand tokens a running sum in float32 is off by whole tokens.
#
# **Task.** Write `draw`.


# %% hole="draw"
def draw(logits, u):
    """The first id where the running sum of probabilities reaches u, among those that can come.

    logits (V,), u a float in [0, 1) -> int.
    """
    raise NotImplementedError


# %% check="draw"
check("draw")

# %% [markdown]
# ## 10. Many draws: a seed is a text
#
# A generator of random numbers has a state, and a seed sets it: the same seed, the same numbers, the
# same text.
# It is set **once**; each draw then takes the next number.
# Which generator you take is up to you, so only the law of the draws is checked: each token comes up
# in its share, one draw says nothing about the next, and another seed gives other draws.
#
# **Task.** Write `draw_many`.


# %% hole="draw_many"
def draw_many(logits, n, seed):
    """n independent draws from a row; the same seed gives the same draws.

    logits (V,), n int, seed int >= 0 -> ids, an array of whole numbers (n,).
    """
    raise NotImplementedError


# %% check="draw_many"
check("draw_many")

# %% [markdown]
# ## 11. Mirostat 2: steer the surprise
#
# With a fixed k or p a text drifts: into repetition, where every token is expected, or into
# confusion, where none is.
# Mirostat looks at how surprising the tokens came out, in bits, and steers them to $\tau$.
# It remembers one number, $\mu$, the most surprise that a token may have; it begins at $2\tau$.
# For each token:
#
# 1. Rule out the tokens with $-\log_2 p_i > \mu$; the likeliest always stays.
# 2. Draw from what is left with `draw`.
# 3. The surprise $s$ of that token is $-\log_2$ of its probability **among what is left**.
# 4. $\mu \leftarrow \mu - \eta\,(s - \tau)$.
#
# ```
# probabilities     0.5000   0.2500   0.1250   0.1250   tau = 1.2, eta = 0.5
# surprise, bits    1.0000   2.0000   3.0000   3.0000   mu = 2.4000
# left              0.6667   0.3333     drop     drop
# u = 0.9           token 1 of 1.5850 bits, mu = 2.2075
# u = 0.6           token 0 of 0.5850 bits, mu = 2.5150
# ```
#
# **Task.** Complete `Mirostat2`.
# (llama.cpp sorts before it draws; here, as everywhere, the draw goes by ids.)


# %% hole="Mirostat2"
class Mirostat2:
    """Keeps the surprise of a text near tau bits a token (mirostat, version 2)."""

    def __init__(self, tau, eta):
        """tau in bits, eta how fast it corrects; both above 0."""
        raise NotImplementedError

    def step(self, logits, u):
        """Draw one token by u and learn from it: logits (V,), u in [0, 1) -> (id, mu after it)."""
        raise NotImplementedError


# %% check="Mirostat2"
check("Mirostat2")

# %% [markdown]
# ## 12. Mirostat 1: steer it by Zipf's law
#
# The first version of mirostat does not look at each token's surprise; it asks how many tokens k have
# a surprise below $\mu$ if probabilities fall like $1 / i^{\,s}$, as the frequencies of words do (Zipf).
#
# 1. Sort the probabilities; of the first $m = \min(100, V)$ estimate the exponent from their m - 1 pairs
#    of neighbours:
#
# $$ s = \frac{\sum_i t_i b_i}{\sum_i t_i^2}, \qquad t_i = \ln\frac{i + 1}{i}, \quad
#    b_i = \ln\frac{p_{(i)}}{p_{(i+1)}}, \qquad i = 1 \dots m - 1 $$
#
# 2. With $\epsilon = s - 1$ and the number V of logits in the row, keep the k likeliest:
#
# $$ k = \left( \frac{\epsilon\, 2^{\mu}}{1 - V^{-\epsilon}} \right)^{1/s}, $$
#
#    rounded down, at least 1, at most V.
# 3. Draw, and move $\mu$ by the surprise among what is left, as in version 2.
#
# The rows here have no `-inf`, no two equal logits, and more than one token.
#
# **Task.** Complete `Mirostat1`.


# %% hole="Mirostat1"
class Mirostat1:
    """Keeps the surprise of a text near tau bits a token (mirostat, version 1)."""

    def __init__(self, tau, eta):
        """tau in bits, eta how fast it corrects; both above 0."""
        raise NotImplementedError

    def step(self, logits, u):
        """Draw one token by u and learn from it: logits (V,), u in [0, 1) -> (id, mu after it)."""
        raise NotImplementedError


# %% check="Mirostat1"
check("Mirostat1")

# %% [markdown]
# ## 13. The sampler: the chain
#
# ```
#   logits -> bias -> penalties -> top_k -> typical -> top_p -> min_p -> temperature -> draw -> token
#                        ^                                                                |
#                        +------------------------- history <----------------------------+
# ```
#
# This is llama.cpp's order, and it matters.
# Each filter sees what the one before it left.
# Temperature comes last: what is cut is cut by the model's own odds, and a high temperature then mixes
# only what was fit to be said.
# A bias, by which a caller bans a token (`-inf`) or favours it, is added before anything looks.
#
# By hand, logits 2, 1, 0, p = 0.9 and t = 2:
#
# ```
# p                 0.6652   0.2447   0.0900
# top_p, then t     1.0000   0.5000     -inf
# p after t         0.5065   0.3072   0.1863   0.9 is not reached by two
# t, then top_p     1.0000   0.5000   0.0000   wrong: all three stay
# ```
#
# - `uniforms` is a list (or any iterable) of numbers in [0, 1): `sample` takes exactly one for each
#   token, in order, also where the temperature is 0.
#   So token n depends on number n, and a text can be told again.
# - `bias` is a dict, token id to what is added to its logit, or None.
# - The other settings are those of the filters, with llama.cpp's defaults.
# - `accept` notes a token of the prompt; `sample` notes the token it drew by itself.
#   Penalties see both.
#
# **Task.** Complete `Sampler` with the functions above.


# %% hole="Sampler"
class Sampler:
    """The chain of samplers with its settings, its stream of numbers and its history."""

    def __init__(
        self,
        uniforms,
        bias=None,
        last_n=64,
        repeat=1.0,
        frequency=0.0,
        presence=0.0,
        top_k=40,
        typical_p=1.0,
        top_p=0.95,
        min_p=0.05,
        temp=0.8,
    ):
        """Keep the settings; the history is empty."""
        raise NotImplementedError

    def accept(self, token):
        """Note a token that was said."""
        raise NotImplementedError

    def filter(self, logits):
        """The row after every step but the draw: (V,) -> (V,). It may be asked for twice."""
        raise NotImplementedError

    def sample(self, logits):
        """Draw a token from `filter(logits)` by the next number, note it: (V,) -> int."""
        raise NotImplementedError


# %% check="Sampler"
check("Sampler")

# %% [markdown]
# ## A stretch (no points): a row of your own
#
# Take a model's logits (`minengine` gives them for any prompt) and plot, over 200 tokens of one text,
# how many tokens top-p 0.9, min-p 0.1 and mirostat with tau 5 keep at each place.
# Where do they differ most, and who is right there?
# Then read Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration", section 3, and Nguyen
# et al. 2024, "Min-p Sampling", section 3.
