"""How endpoints behave, from annotations ``skyedge.io/…``: what no manifest of a mesh says and a simulation must know.

On a pod, a ``WorkloadEntry`` or a ``ServiceEntry`` they are about that endpoint, on a ``Service`` about all of its own that
say nothing themselves.  What nobody says is assumed (:class:`~skyedge.layers.mesh.traffic.Behaviour`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from typing import Any, TypeVar

from skyedge.errors import InputError, nearest
from skyedge.kube import Manifest, Manifests
from skyedge.kube import services as kube
from skyedge.kube.istio_values import seconds
from skyedge.kube.problem import Problem
from skyedge.layers.mesh.admission import Admission, Identity, Verdict, allowed
from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.objects import CLUSTER_DOMAIN, Caller, MeshEndpoint, Service
from skyedge.layers.mesh.reading.mesh import MeshReading
from skyedge.layers.mesh.reading.names import namespace_of, right_host, whole_name
from skyedge.layers.mesh.reading.policies import Precedence
from skyedge.layers.mesh.reading.traffic_classes import read_classes
from skyedge.layers.mesh.reading.workloads import TRUST_DOMAIN
from skyedge.layers.mesh.traffic import (
    Behaviour,
    Behaviours,
    By,
    Call,
    Controls,
    Failing,
    Failure,
    Network,
    RateLimit,
    RetryBudget,
    ServiceTime,
    Shape,
)

PREFIX = "skyedge.io/"
OF_ENDPOINTS = (
    *("service-time", "service-time-shape", "service-time-variation", "concurrency", "queue-limit", "response-bytes"),
    *("failing", "failing-from", "failing-until", "failing-how", "failing-status", "calls"),
)
OF_SERVICES = ("rate-limit",)

Value = TypeVar("Value")
Word = TypeVar("Word", bound=Enum)


def read_behaviours(manifests: Manifests, reading: MeshReading, network: Network | None = None) -> Behaviours:
    """How every endpoint behaves.

    Raises:
        InputError: with file, document and path, for an annotation that says nothing sensible.
    """
    hosts = [shown.thing.host for shown in reading.services]
    services, endpoints = {}, {}
    for manifest in manifests.of(kube.Service):
        metadata = manifest.object.metadata
        said = _Said(manifest, metadata.annotations, namespace_of(metadata), hosts)
        if said.speaks:
            services[f"{metadata.name}.{said.namespace}.{CLUSTER_DOMAIN}"] = said.behaviour(Behaviour())
    for key, workload in sorted(reading.behind.items(), key=lambda item: item[0]):
        said = _Said(workload.manifest, workload.annotations, workload.namespace, hosts)
        if said.speaks:
            endpoints[key] = said.behaviour(services.get(key[0], Behaviour()))
    return Behaviours(services=services, endpoints=endpoints, network=network or Network())


def read_controls(manifests: Manifests, reading: MeshReading) -> Controls:
    """Rate limits, retry budgets, classes of service, and who may call.

    Raises:
        InputError: with file, document and path, for a rate limit that is none, and as
            :func:`~skyedge.layers.mesh.reading.traffic_classes.read_classes`.
    """
    limits = {}
    for manifest in manifests.of(kube.Service):
        metadata = manifest.object.metadata
        said = _Said(manifest, metadata.annotations, namespace_of(metadata), ())
        text = metadata.annotations.get(f"{PREFIX}rate-limit")
        if text is not None:
            host = f"{metadata.name}.{said.namespace}.{CLUSTER_DOMAIN}"
            limits[host] = tuple(said.checked("rate-limit", rate_limit, one) for one in text.split(","))
    budgets = {}
    precedence = {space: Precedence(reading.rules, space) for space in {shown.namespace for shown in reading.services}}
    for shown in reading.services:
        rule = precedence[shown.namespace].rule_for(shown.thing)
        policies = [one.object.spec.traffic_policy for one in rule.manifests] if rule is not None else []
        wish = next((one.retry_budget for one in policies if one is not None and one.retry_budget is not None), None)
        if wish is not None:
            budgets[shown.thing.host] = RetryBudget(wish.percent, wish.min_retry_concurrency)
    return Controls(
        retry_budgets=budgets,
        rate_limits=limits,
        classes=read_classes(manifests, reading.routes),
        allowed=Gatekeeper(reading).allows,
    )


@dataclass(frozen=True, eq=False)
class Gatekeeper:
    """Who may call whom, as a simulation asks it: by callers and endpoints."""

    reading: MeshReading

    def verdict(self, caller: Caller, endpoint: MeshEndpoint, request: HttpRequest) -> Verdict:
        """Whether an endpoint answers a caller, and why; one that nothing is known of answers.

        The request's port is that of the service which it is sent to.
        """
        called = self.reading.behind.get((endpoint.service, endpoint.address))
        if called is None or not self._asks:
            return Verdict(True, "nobody asks")
        # Policies select workloads by their own labels, not by those of the service.
        service = Service(endpoint.service, namespace=called.namespace, labels=called.labels)
        admission = self.reading.admission if called.has_proxy else self._of_networks
        return allowed(admission, self._identity(caller), service, endpoint.port_for(request.port), request)

    @cached_property
    def _asks(self) -> bool:
        said = self.reading.admission
        return bool(said.policies or said.authentications or said.groups)

    @cached_property
    def _of_networks(self) -> Admission:
        """What holds for who has no proxy, which alone asks for certificates and policies: security groups."""
        return Admission(groups=self.reading.admission.groups)

    def allows(self, caller: Caller, endpoint: MeshEndpoint, request: HttpRequest) -> bool:
        """Whether an endpoint answers a caller."""
        return self.verdict(caller, endpoint, request).allowed

    def _identity(self, caller: Caller) -> Identity:
        # An endpoint that calls is named by its service and address.
        host, _, address = caller.name.partition("/")
        one = self.reading.behind.get((host, address)) or self.reading.workload(caller)
        if one is None:
            return Identity(caller.name, caller.namespace, labels=caller.labels)
        name = f"{one.namespace}/{one.name}"
        return Identity(name, one.namespace, one.service_account, one.address, one.labels, one.has_proxy, TRUST_DOMAIN)


def rate_limit(text: str) -> RateLimit:
    """``100/second``, and who is counted apart: ``100/minute by source``, ``10/second by header x-user``.

    Raises:
        InputError: if it is none.
    """
    amount, _, by = text.strip().partition(" by ")
    number, slash, unit = amount.strip().partition("/")
    if not slash or not number.isdecimal() or int(number) == 0:
        raise InputError(f"'{text}' is no rate limit; one is written like 100/second, or 10/second by header x-user")
    word, _, header = by.strip().partition(" ")
    if word not in ("", *(one.value for one in By)) or (word == By.HEADER.value) != bool(header):
        raise InputError(f"a rate limit counts apart by source or by header NAME, not by '{by.strip()}'")
    return RateLimit.per_unit(int(number), unit.strip(), By(word) if word else By.ALL, header.strip())


class _Said:
    """Annotations of one object."""

    def __init__(
        self, manifest: Manifest[Any], annotations: Mapping[str, str], namespace: str, hosts: Iterable[str]
    ) -> None:
        self._manifest, self._annotations, self.namespace, self._hosts = manifest, annotations, namespace, list(hosts)
        known = (*OF_ENDPOINTS, *OF_SERVICES)
        for name in annotations:
            word = name.removeprefix(PREFIX)
            close = nearest(word, known) if word != name and word not in known else None
            if close is not None:
                path = ("metadata", "annotations", name)
                raise manifest.error(path, f"there is no annotation '{name}'", f"{PREFIX}{close}")

    @property
    def speaks(self) -> bool:
        """Whether anything is said of behaviour."""
        return any(f"{PREFIX}{name}" in self._annotations for name in OF_ENDPOINTS)

    def behaviour(self, usual: Behaviour) -> Behaviour:
        """``usual`` with what is said."""
        time = usual.service_time
        time = ServiceTime(
            self.get("service-time", lambda text: seconds(text) * 1e3, time.mean_ms),
            self.get("service-time-shape", lambda text: _word(text, Shape), time.shape),
            self.get("service-time-variation", _above_zero, time.variation),
        )
        share = self.get("failing", _share, None)
        failing = usual.failing
        if share is not None:
            how = self.get("failing-how", lambda text: _word(text, Failure), Failure.STATUS)
            if how is Failure.REFUSE and share != 1:
                self._wrong("failing", "an endpoint that refuses connections refuses all of them: this must be 1")
            times = [self.get(f"failing-{end}", lambda text: round(seconds(text) * 1e6), None) for end in ("from", "until")]
            begins, ends = times[0] or 0, Failing().end_us if times[1] is None else times[1]
            if ends < begins:
                self._wrong("failing-until", "this is before failing-from")
            failing = (Failing(begins, ends, share, how, self.get("failing-status", _status, 503)),)
        else:
            lonely = next((name for name in OF_ENDPOINTS if name.startswith("failing-") and self._has(name)), None)
            if lonely is not None:
                self._wrong(lonely, f"this means nothing without {PREFIX}failing")
        return replace(
            usual,
            service_time=time,
            concurrency=self.get("concurrency", lambda text: _whole(text, 1), usual.concurrency),
            queue_limit=self.get("queue-limit", lambda text: _whole(text, 0), usual.queue_limit),
            failing=failing,
            calls=self.get("calls", self._calls, usual.calls),
            response_bytes=self.get("response-bytes", lambda text: _whole(text, 0), usual.response_bytes),
        )

    def get(self, name: str, read: Callable[[str], Value], otherwise: Value) -> Value:
        """What an annotation says."""
        text = self._annotations.get(f"{PREFIX}{name}")
        return otherwise if text is None else self.checked(name, read, text)

    def checked(self, name: str, read: Callable[[str], Value], text: str) -> Value:
        """What a text says, with the place of the annotation if that is nothing."""
        try:
            return read(text)
        except (InputError, Problem) as error:
            raise self._manifest.error(
                ("metadata", "annotations", f"{PREFIX}{name}"), error.message, error.nearest
            ) from None

    def _has(self, name: str) -> bool:
        return f"{PREFIX}{name}" in self._annotations

    def _wrong(self, name: str, message: str) -> None:
        raise self._manifest.error(("metadata", "annotations", f"{PREFIX}{name}"), message)

    def _calls(self, text: str) -> tuple[Call, ...]:
        """``labels:0.2, db``: hosts, and calls of each for a request."""
        calls = []
        for part in text.split(","):
            host, colon, count = part.strip().partition(":")
            whole = whole_name(host, self.namespace)
            if whole not in self._hosts:
                raise InputError(f"there is no service '{host}'", nearest=right_host(host, self.namespace, self._hosts))
            calls.append(Call(whole, _above_zero(count) if colon else 1.0))
        return tuple(calls)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"this should be a number in quotes, not '{text}'") from None


def _share(text: str) -> float:
    share = _number(text)
    if not 0 <= share <= 1:
        raise InputError(f"a share is from 0 to 1, and {text} is not")
    return share


def _above_zero(text: str) -> float:
    number = _number(text)
    if not 0 < number < float("inf"):
        raise InputError(f"this should be above zero, and {text} is not")
    return number


def _whole(text: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise InputError(f"this should be a whole number of at least {least}, in quotes, not '{text}'")
    return int(text)


def _status(text: str) -> int:
    status = _whole(text, 400)
    if status > 599:
        raise InputError(f"an error has a status from 400 to 599, and {status} is not")
    return status


def _word(text: str, kind: type[Word]) -> Word:
    words = [str(one.value) for one in kind]
    if text not in words:
        raise InputError(f"this should be one of {', '.join(words)}, not '{text}'", nearest=nearest(text, words))
    return kind(text)
