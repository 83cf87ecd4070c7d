"""The mean is not taken off."""

FAILS = {"center_rows": "no-mean"}


def center(x, weight):
    return x * weight
