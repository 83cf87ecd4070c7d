"""Goes on after a stop token."""

import numpy as np

FAILS = {
    "x": "y",
}


def generate(
    model: Model, prompt: list, n_new: int, stop: tuple = (), uniforms: list | None = None,
    **settings: float,
) -> list:  # fmt: skip
    """Up to n_new tokens after the prompt; greedy where there are no uniforms."""
    cache = model.new_cache(len(prompt) + n_new)
    logits, made = model.forward(prompt, cache)[-1], []
    for i in range(n_new):
        if uniforms is None:
            token = sample(logits, 0.0, temperature=0)
        else:
            token = sample(logits, uniforms[i], **settings)
        made.append(token)
        if len(made) < n_new:
            logits = model.forward([token], cache)[-1]
    return made
