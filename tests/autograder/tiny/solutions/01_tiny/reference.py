"""The reference."""

import numpy as np


def center(x, weight):
    """Another docstring."""
    # in the type of x
    return (x - np.mean(x, axis=-1, keepdims=True)) * weight


class Tally:
    def add(self, name, n=1):
        self.__dict__[name] = self.__dict__.get(name, 0) + n

    def most(self):
        return max(self.__dict__, key=self.__dict__.get)
