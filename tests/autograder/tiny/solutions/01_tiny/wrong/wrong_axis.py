"""The mean goes down the columns."""

FAILS = {"center_rows": "wrong-axis"}


def center(x, weight):
    return (x - x.mean(0)) * weight
