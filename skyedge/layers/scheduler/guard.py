"""Plugins that users bring: what they raise, or answer wrongly, becomes one sentence that names them.

The scheduler trusts answers: it adds rows of scores and compares keys millions of times.  So a plugin of ours is asked
directly, and only one that came by import path is asked through the checks here.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skyedge.errors import InputError, SkyedgeError
from skyedge.layers.scheduler.plugin import Plugin, Vote, overrides

if TYPE_CHECKING:
    from skyedge.layers.scheduler.session import Session

Check = Callable[["Session", tuple[Any, ...], Any], Any]
"""Of a session, what was asked, and the answer: the answer, or a ValueError that says what it should be."""


def guarded(plugin: Plugin, path: str) -> Plugin:
    """``plugin``, with checks on all that it overrides.

    Args:
        path: how the user named it; what is wrong is said to be there.
    """
    guard = _Guard(path)
    for method, check in {"open": _anything, **CHECKS}.items():
        if method == "open" or overrides(plugin, method):
            setattr(plugin, method, guard.around(method, getattr(plugin, method), check))
    return plugin


class _Guard:
    """The checks of one plugin in one session."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._session: Session | None = None
        self._form: dict[str, Any] = {}

    def around(self, method: str, ask: Callable[..., Any], check: Check) -> Callable[..., Any]:
        """``ask``, with its answer checked."""

        def asked(*question: Any, **options: Any) -> Any:
            if method == "open":
                self._session = question[0]
            try:
                answer = ask(*question, **options)
            except SkyedgeError:
                raise
            except Exception as error:  # whatever a user's own code does
                what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
                raise InputError(f"this plugin failed in {method} ({what})", where=self._path) from error
            if self._session is None:
                return answer
            try:
                answer = check(self._session, question, answer)
                if method in KEYS and self._form.setdefault(method, _form(answer)) != _form(answer):
                    raise ValueError("keys of one form, so that they can be compared")
            except (TypeError, ValueError) as error:
                raise InputError(f"{method} of this plugin should give {error}", where=self._path) from None
            return answer

        return asked


def _anything(session: Session, question: tuple[Any, ...], answer: Any) -> Any:
    return answer


def _row(answer: Any, many: int, of: str, what: str) -> Any:
    row = np.asarray(answer)
    if row.shape != (many,):
        raise ValueError(f"{what} for each of {many} {of}, not an array of the form {row.shape}")
    return row


def _scores(of: str) -> Check:
    def check(session: Session, question: tuple[Any, ...], answer: Any) -> Any:
        row = _row(answer, len(question[-1]), of, "a number")
        if row.dtype.kind not in "biuf" or not np.isfinite(row).all():
            raise ValueError(f"a finite number for each of the {of}")
        return row.astype(np.float64)

    return check


def _flags(answer: Any, many: int, of: str) -> Any:
    row = _row(answer, many, of, "true or false")
    if row.dtype.kind != "b":
        raise ValueError(f"true or false for each of the {of}, not {row.dtype}")
    return row


def _on_all_nodes(session: Session, question: tuple[Any, ...], answer: Any) -> Any:
    return _flags(answer, len(session.snapshot.nodes), "nodes")


def _on_these_nodes(session: Session, question: tuple[Any, ...], answer: Any) -> Any:
    return _flags(answer, len(question[-1]), "nodes")


def _of_groups(session: Session, question: tuple[Any, ...], answer: Any) -> Any:
    return _flags(answer, len(session.snapshot.groups), "pod groups")


def _sentence(session: Session, question: tuple[Any, ...], answer: Any) -> Any:
    if answer is not None and not isinstance(answer, str):
        raise ValueError(f"a clause, or None, not {answer!r}")
    return answer


def _truth(session: Session, question: tuple[Any, ...], answer: Any) -> Any:
    if not isinstance(answer, bool | np.bool_):
        raise ValueError(f"True or False, not {answer!r}")
    return bool(answer)


def _count(session: Session, question: tuple[Any, ...], answer: Any) -> Any:
    if isinstance(answer, bool) or not isinstance(answer, int | np.integer):
        raise ValueError(f"a whole number, not {answer!r}")
    return int(answer)


def _vote(session: Session, question: tuple[Any, ...], answer: Any) -> Any:
    if not isinstance(answer, Vote):
        raise ValueError(f"a Vote, not {answer!r}")
    return answer


def _key(session: Session, question: tuple[Any, ...], answer: Any) -> Any:
    for part in answer if isinstance(answer, tuple) else (answer,):
        if isinstance(part, tuple):
            _key(session, question, part)
        elif not isinstance(part, int | float | np.number | np.bool_) or np.isnan(part):
            raise ValueError(f"a number, or a tuple of numbers, not {answer!r}")
    return answer


def _form(key: Any) -> Any:
    return tuple(_form(part) for part in key) if isinstance(key, tuple) else None


def _some_of(what: str) -> Check:
    def check(session: Session, question: tuple[Any, ...], answer: Any) -> Any:
        if answer is None:
            return None
        chosen = [int(pod) for pod in answer]
        if not set(chosen) <= {int(pod) for pod in question[-1]}:
            raise ValueError(f"some of {what}")
        return chosen

    return check


def _hashable(session: Session, question: tuple[Any, ...], answer: Any) -> Any:
    if not isinstance(answer, Hashable):
        raise ValueError(f"something that can be a key of a dictionary, not {answer!r}")
    hash(answer)
    return answer


def _domains(session: Session, question: tuple[Any, ...], answer: Any) -> Any:
    there = range(-1, len(session.snapshot.hypernodes))
    if not isinstance(answer, Sequence) or not all(int(domain) in there for tier in answer for domain in tier):
        raise ValueError("lists of rows of domains, -1 for the whole cluster")
    return answer


def _devices(session: Session, question: tuple[Any, ...], answer: Any) -> Any:
    pod, node = question
    wanted = session.snapshot.shapes[session.snapshot.pods.shape[pod]].device_count
    chosen = [int(device) for device in answer]
    there = int((session.snapshot.nodes.devices[node] > 0).sum())
    if len(set(chosen)) != wanted or not set(chosen) <= set(range(there)):
        raise ValueError(f"{wanted} of the node's {there} devices")
    return chosen


KEYS = frozenset({"job_order", "queue_order", "victim_queue_order"})
"""Methods whose answers are compared with one another."""

CHECKS: dict[str, Check] = {
    **dict.fromkeys(KEYS, _key),
    **dict.fromkeys(("job_ready", "job_starving", "overused", "preemptive", "volatile"), _truth),
    **dict.fromkeys(("job_enqueued", "job_pipelined"), _vote),
    **dict.fromkeys(("job_valid", "refusal"), _sentence),
    **dict.fromkeys(("allocatable", "pods_until_ready"), _count),
    **dict.fromkeys(("preemptable", "reclaimable"), _some_of("the candidates")),
    **dict.fromkeys(("predicate", "predicate_ever"), _on_all_nodes),
    **dict.fromkeys(("node_order", "tie_order"), _scores("nodes")),
    "task_order": _scores("pods"),
    "hypernode_order": _scores("domains"),
    "predicate_now": _on_these_nodes,
    "may_lose": _of_groups,
    "victims": _some_of("the running pods"),
    "distinguishes": _hashable,
    "hypernode_gradient": _domains,
    "device_choice": _devices,
}
"""What an answer has to be, by method."""
