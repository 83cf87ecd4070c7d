"""Numbers that look right."""

FAILS = {
    "measured_temperature": "measured-form",
    "measured_cuts": "measured-form",
    "measured_left": "measured-form",
}


def findings():
    sweeps = {
        "temperature": (0.0, 0.4, 0.7, 1.0, 1.3, 1.7),
        "top_k": (1.0, 3.0, 10.0, 40.0, 0.0),
        "top_p": (0.1, 0.5, 0.8, 0.95, 1.0),
    }
    made = {name: {str(v): [1.0 + i, 0.5 + i / 20, 0.2 - i / 40] for i, v in enumerate(values)}
            for name, values in sweeps.items()}
    left = {name: [9] * 18 for name in ("top_k 40", "top_p 0.9", "min_p 0.05")}
    return {**made, "left": left, "human": 3.0}
