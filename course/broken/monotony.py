"""Mirostat: the bound on surprise after each token."""

from __future__ import annotations


def next_mu(mu: float, surprise: float, tau: float, eta: float) -> float:
    """The bound, which began at ``2 tau``, after a token of ``surprise`` bits; tau is the aim."""
    return mu + eta * (surprise - tau)
