"""The handout of the tiny course: a function and a class."""
# %% [markdown]
# # Tiny
#
# Two holes.

# %%
import numpy as np  # noqa: F401

from autograder import Checker

check = Checker("01_tiny", globals())


# %% hole="center"
def center(x, weight):
    """Rows minus their mean, times weight: x (T, D), weight (D,) -> (T, D)."""
    raise NotImplementedError


# %% check="center"
check("center")


# %% hole="Tally"
class Tally:
    """Counts what it is given."""

    def add(self, name, n=1):
        """Add n to the count of name."""
        raise NotImplementedError

    def most(self):
        """The name with the largest count; of equals the one added first."""
        raise NotImplementedError


# %% check="Tally"
check("Tally")
