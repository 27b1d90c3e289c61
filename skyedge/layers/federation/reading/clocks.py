"""From manifests of CronFederatedHPAs to what their rules want now: of each thing that is scaled, what was said last.

A rule fires at a moment and says how many replicas there are to be, or between which bounds an autoscaler has to stay; that
holds until another rule says otherwise.  A file does not tell what others have done since, so it is as if nobody had.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from skyedge.errors import InputError, nearest
from skyedge.kube import Manifest, Manifests
from skyedge.kube.karmada_autoscalers import CronFederatedHPA, CronRule
from skyedge.kube.problem import Path
from skyedge.layers.federation.cron import Schedule
from skyedge.layers.federation.reading.notices import Notices
from skyedge.layers.federation.reading.rules import DEFAULT_NAMESPACE
from skyedge.time import SECOND, format_utc

AUTOSCALER = "FederatedHPA"


class Target(NamedTuple):
    """What is scaled: a workload, or an autoscaler."""

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True)
class Said:
    """A number that a rule gave, and why it holds.

    Attributes:
        at_s: when the rule fired.
        by: the CronFederatedHPA whose rule it is, as NAMESPACE/NAME.
        value: replicas.
        why: in words.
    """

    at_s: float
    by: str
    value: int
    why: str


@dataclass(frozen=True)
class Clock:
    """What is wanted of one target now, by whichever CronFederatedHPA said so last; None: none has.

    Attributes:
        replicas: of a workload.
        least, most: of the replicas that an autoscaler may want.
    """

    replicas: Said | None = None
    least: Said | None = None
    most: Said | None = None


def read_clocks(manifests: Manifests, now_s: float | None, notices: Notices) -> dict[Target, Clock]:
    """What is wanted at ``now_s`` (None: nobody knows, and it is said) of each target of which something is.

    Of two who speak at one moment the last by name is obeyed, and of its rules the last.

    Raises:
        InputError: with the place, for a schedule or a time zone that is none, or a rule without what it is to set.
    """
    said: dict[Target, dict[str, Said]] = {}
    for manifest in manifests.of(CronFederatedHPA):
        metadata, spec = manifest.object.metadata, manifest.object.spec
        namespace, ref = metadata.namespace or DEFAULT_NAMESPACE, spec.scale_target_ref
        name = f"{namespace}/{metadata.name}"
        of_target = said.setdefault(Target(ref.kind, namespace, ref.name), {})
        for place, rule in enumerate(spec.rules):
            fired_s = _fired_s(manifest, ("spec", "rules", place), rule, ref.kind, now_s)
            if fired_s is None:
                continue
            why = f"its rule '{rule.name}' fired at {format_utc(round(fired_s * SECOND))}"
            wanted = (
                {"least": rule.target_min_replicas, "most": rule.target_max_replicas}
                if ref.kind == AUTOSCALER
                else {"replicas": rule.target_replicas}
            )
            for what, value in wanted.items():
                before = of_target.get(what)
                if value is not None and (before is None or (fired_s, name) >= (before.at_s, before.by)):
                    of_target[what] = Said(fired_s, name, value, why)
        if now_s is None and not all(rule.suspend for rule in spec.rules):
            notices.say(manifest, (), f"nothing says when now is (--at), so '{metadata.name}' scales nothing")
    return {target: Clock(**numbers) for target, numbers in said.items() if numbers}


def _fired_s(manifest: Manifest[Any], path: Path, rule: CronRule, kind: str, now_s: float | None) -> float | None:
    """When a rule fired last; None if it never did, or is suspended."""
    if kind != AUTOSCALER and rule.target_replicas is None:
        raise manifest.error(path, f"'targetReplicas' is missing, as a {kind} is scaled and no {AUTOSCALER}")
    try:
        schedule = Schedule.parse(rule.schedule)
    except InputError as error:
        raise manifest.error((*path, "schedule"), error.message, error.nearest) from None
    try:
        zone = UTC if rule.time_zone == "UTC" else ZoneInfo(rule.time_zone)  # a system may know no others
    except (ZoneInfoNotFoundError, ValueError, OSError):
        right = nearest(rule.time_zone, available_timezones())
        raise manifest.error((*path, "timeZone"), f"there is no time zone '{rule.time_zone}'", right) from None
    return None if rule.suspend or now_s is None else schedule.last_s(now_s, zone)
