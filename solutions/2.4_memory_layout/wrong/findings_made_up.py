"""Round numbers."""

FAILS = {
    "findings_file": "measured-other",
    "findings_reading": "measured-impossible",
    "findings_bytes": "measured-impossible",
}


def findings():
    steps = {str(4 << i): 1.0 for i in range(7)}
    return {
        "file": {"tensors": 37, "bytes": 4_000_000},
        "element": {"byte": 27268, "inside": 13, "value": 0.5},
        "steps": steps,
        "orders": {"row by row": 1.0, "column by column": 1.0, "at random": 1.0},
        "sizes": {str(1 << i): 10.0 for i in range(14, 27, 2)},
        "formats": {"F32": [4096, 1.0]},
    }
