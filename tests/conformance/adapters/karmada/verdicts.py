"""Cases about what is refused as soon as it is said: policies, quotas, clusters and autoscalers."""

from __future__ import annotations

from skyedge.errors import InputError

from .objects import Answer, Given
from .placement import read_written


def policy_verdict(given: Given) -> Answer:
    """Whether a manifest is let in."""
    try:
        read_written(given["manifest"])
    except InputError:
        return {"admitted": False}
    return {"admitted": True}
