"""Numbers of the right kind that nothing gave."""

FAILS = {
    "findings_strides": "measured-other",
    "findings_costs": "measured-other",
}


def findings():
    costs = [[1000, 10, 0]] * 5
    return {
        "sectors": {"1": 4, "2": 8, "5": 20, "8": 32, "32": 64, "33": 66},
        "ways": {"1": 1, "2": 2, "5": 1, "8": 8, "32": 32, "33": 1},
        "costs": {"penalize": costs, "rotate": costs, "round_q8": costs, "cumulate": costs},
    }
