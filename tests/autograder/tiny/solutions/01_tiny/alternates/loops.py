"""Loops, and a helper."""

import warnings


def mean(row):
    warnings.warn("slow", stacklevel=1)
    return sum(row[1:], row[0]) / len(row)


def center(x, weight):
    y = x.copy()
    for row in y:
        row -= mean(row)
        row *= weight
    return y
