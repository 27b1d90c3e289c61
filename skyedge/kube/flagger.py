"""Flagger's ``Canary``: how a new version is tried on real requests, as flagger.app/v1beta1 writes it."""

from __future__ import annotations

import itertools
from typing import Annotated, Literal

from msgspec import Meta

from skyedge.kube.istio_routes import HttpMatchRequest, HttpRetry
from skyedge.kube.istio_traffic import TrafficPolicy
from skyedge.kube.istio_values import Duration, Percentage, Port, check_durations
from skyedge.kube.metadata import Metadata
from skyedge.kube.problem import Problem
from skyedge.kube.shape import Count, Shape


class Reference(Shape, frozen=True, kw_only=True):
    """An object by its name."""

    unmodelled = "primaryScalerQueries primaryScalerReplicas"

    api_version: str = ""
    kind: str = ""
    name: str
    namespace: str = ""


class TargetReference(Shape, frozen=True, kw_only=True):
    """What is rolled out."""

    unmodelled = "namespace"

    api_version: str = ""
    kind: Literal["", "Deployment", "DaemonSet", "Service"] = ""
    name: str


class CanaryService(Shape, frozen=True, kw_only=True):
    """The service whose requests are split."""

    unmodelled = (
        "portDiscovery appProtocol delegation gatewayRefs match rewrite headers mirror corsPolicy meshName backends apex "
        "primary canary unmanagedMetadata trafficDistribution"
    )

    name: str = ""
    port: Port
    port_name: str = "http"
    target_port: int | str = 0
    timeout: Duration | None = None
    gateways: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    traffic_policy: TrafficPolicy | None = None
    retries: HttpRetry | None = None

    def check(self) -> None:
        check_durations(self, "timeout", least_s=1e-3)


class ThresholdRange(Shape, frozen=True, kw_only=True):
    """What a figure may be."""

    min: float | None = None
    max: float | None = None

    def check(self) -> None:
        if self.min is None and self.max is None:
            raise Problem((), "one of min, max is needed")
        if self.min is not None and self.max is not None and self.max < self.min:
            raise Problem(("max",), f"{self.max:g} is below the least, {self.min:g}")


class CanaryMetric(Shape, frozen=True, kw_only=True):
    """A figure that is looked at after each interval; ``threshold`` is an older word for one end of its range."""

    unmodelled = "templateVariables"

    name: str
    interval: Duration | None = None
    threshold: float | None = None
    threshold_range: ThresholdRange | None = None
    query: str = ""
    template_ref: Reference | None = None

    def check(self) -> None:
        check_durations(self, "interval", least_s=1e-3)
        if self.threshold_range is None and self.threshold is None:
            raise Problem((), "'thresholdRange' is missing, without which there is nothing to hold it to")


class SessionAffinity(Shape, frozen=True, kw_only=True):
    """Who got the new version once keeps it."""

    unmodelled = "primaryCookieName maxAge cookieDomain httpOnly partitioned path sameSite secure domain"

    cookie_name: str

    def check(self) -> None:
        if not self.cookie_name:
            raise Problem(("cookieName",), "this should not be empty")


Weight = Annotated[int, Meta(ge=1, le=100)]


class CanaryAnalysis(Shape, frozen=True, kw_only=True):
    """How the new version is tried."""

    unmodelled = "alerts webhooks primaryReadyThreshold canaryReadyThreshold"

    interval: Duration | None = None
    iterations: Count = 0
    threshold: Count = 0
    max_weight: Percentage = 0.0
    step_weight: Percentage = 0.0
    step_weights: tuple[Weight, ...] = ()
    step_weight_promotion: Percentage = 0.0
    mirror: bool = False
    mirror_weight: Percentage = 0.0
    match: tuple[HttpMatchRequest, ...] = ()
    metrics: tuple[CanaryMetric, ...] = ()
    session_affinity: SessionAffinity | None = None

    def check(self) -> None:
        check_durations(self, "interval", least_s=1e-3)
        if self.match and not self.iterations:
            raise Problem(("match",), "an A/B test needs iterations: this says whom it means but not for how long")
        if not self.iterations and not self.step_weights and not self.step_weight:
            raise Problem((), "one of stepWeight, stepWeights, iterations is needed, and above zero")
        for at, (before, after) in enumerate(itertools.pairwise(self.step_weights), 1):
            if after <= before:
                raise Problem(("stepWeights", at), f"weights must rise from step to step, and {after} follows {before}")


class CanarySpec(Shape, frozen=True, kw_only=True):
    """``spec`` of a canary; ``canaryAnalysis`` is an older word for ``analysis``."""

    unmodelled = (
        "provider metricsServer autoscalerRef ingressRef routeRef upstreamRef progressDeadlineSeconds skipAnalysis "
        "revertOnDeletion suspend"
    )

    target_ref: TargetReference
    service: CanaryService
    analysis: CanaryAnalysis | None = None
    canary_analysis: CanaryAnalysis | None = None

    def check(self) -> None:
        if self.analysis is None and self.canary_analysis is None:
            raise Problem((), "'analysis' is missing, so nothing says how the new version is tried")


class Canary(Shape, frozen=True, kw_only=True):
    """How a new version meets real requests."""

    unmodelled = "status"

    api_version: str
    kind: str
    metadata: Metadata
    spec: CanarySpec
