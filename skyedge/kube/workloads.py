"""Kubernetes' workloads, and what goes along with them: all that a federation hands on to its members as it stands.

Of these a federation keeps the whole manifest (:meth:`~skyedge.kube.reading.Manifest.plain`).  Only what decides how many
pods run, and where, is modelled; the other fields are listed so that a misspelt one is found.  They are not lost, for they
go along.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from skyedge.kube.metadata import Metadata
from skyedge.kube.pods import PodSpec
from skyedge.kube.shape import ANYTHING, Count, Shape
from skyedge.kube.volcano import PodTemplate


class Propagated(Shape, frozen=True, kw_only=True):
    """Base of all that a federation hands on."""

    api_version: str
    kind: str
    metadata: Metadata

    @property
    def replicas(self) -> int:
        """How many pods it wants in all; 0 for what has none, or does not count them."""
        return 0

    @property
    def template(self) -> PodTemplate | None:
        """What each of its pods looks like."""
        return None


class ReplicatedSpec(Shape, frozen=True, kw_only=True):
    """``spec`` of what wants so many pods that are alike."""

    unmodelled = (
        "selector strategy updateStrategy minReadySeconds revisionHistoryLimit paused progressDeadlineSeconds serviceName "
        "podManagementPolicy persistentVolumeClaimRetentionPolicy volumeClaimTemplates ordinals"
    )

    replicas: Count = 1
    template: PodTemplate


class Replicated(Propagated, frozen=True, kw_only=True):
    """``Deployment``, ``StatefulSet`` and ``ReplicaSet``."""

    unmodelled = "status"

    spec: ReplicatedSpec

    @property
    def replicas(self) -> int:
        return self.spec.replicas

    @property
    def template(self) -> PodTemplate:
        return self.spec.template


class DaemonSetSpec(Shape, frozen=True, kw_only=True):
    """``spec`` of a daemon set."""

    unmodelled = "selector updateStrategy minReadySeconds revisionHistoryLimit"

    template: PodTemplate


class DaemonSet(Propagated, frozen=True, kw_only=True):
    """A pod for every node: it has no replicas to divide."""

    unmodelled = "status"

    spec: DaemonSetSpec

    @property
    def template(self) -> PodTemplate:
        return self.spec.template


class JobSpec(Shape, frozen=True, kw_only=True):
    """``spec`` of a job; without a number of completions it ends with the first pod that succeeds."""

    unmodelled = (
        "activeDeadlineSeconds podFailurePolicy successPolicy backoffLimit backoffLimitPerIndex maxFailedIndexes selector "
        "manualSelector ttlSecondsAfterFinished completionMode suspend podReplacementPolicy managedBy"
    )

    parallelism: Count = 1
    completions: Count | None = None
    template: PodTemplate


class Job(Propagated, frozen=True, kw_only=True):
    """Pods that come to an end; its replicas are those that run at once."""

    unmodelled = "status"

    spec: JobSpec

    @property
    def replicas(self) -> int:
        """As Karmada counts them: as many as run at once, and never more than are to succeed."""
        at_once, in_all = self.spec.parallelism, self.spec.completions
        return at_once if in_all is None else min(at_once, in_all)

    @property
    def template(self) -> PodTemplate:
        return self.spec.template


class JobTemplate(Shape, frozen=True, kw_only=True):
    """A job as a clock starts it."""

    metadata: Metadata = field(default_factory=Metadata)
    spec: JobSpec


class CronJobSpec(Shape, frozen=True, kw_only=True):
    """``spec`` of a job by the clock."""

    unmodelled = (
        "timeZone startingDeadlineSeconds concurrencyPolicy suspend successfulJobsHistoryLimit failedJobsHistoryLimit"
    )

    schedule: Annotated[str, Meta(min_length=1)]
    job_template: JobTemplate


class CronJob(Propagated, frozen=True, kw_only=True):
    """Jobs by the clock: it has no replicas of its own."""

    unmodelled = "status"

    spec: CronJobSpec

    @property
    def template(self) -> PodTemplate:
        return self.spec.job_template.spec.template


class PropagatedPod(Propagated, frozen=True, kw_only=True):
    """A pod by itself."""

    unmodelled = "status"

    spec: PodSpec

    @property
    def replicas(self) -> int:
        return 1

    @property
    def template(self) -> PodTemplate:
        return PodTemplate(metadata=self.metadata, spec=self.spec)


class PropagatedConfigMap(Propagated, frozen=True, kw_only=True):
    """Files by name."""

    unmodelled = "data binaryData immutable"


class Secret(Propagated, frozen=True, kw_only=True):
    """What is not for everyone."""

    unmodelled = "data stringData type immutable"


class ServiceAccount(Propagated, frozen=True, kw_only=True):
    """Whom pods act for."""

    unmodelled = "secrets imagePullSecrets automountServiceAccountToken"


class AccessRules(Propagated, frozen=True, kw_only=True):
    """Roles, and who has them."""

    unmodelled = "rules aggregationRule subjects roleRef"


class StorageClass(Propagated, frozen=True, kw_only=True):
    """A kind of volume."""

    unmodelled = "provisioner parameters reclaimPolicy mountOptions allowVolumeExpansion volumeBindingMode allowedTopologies"


class WithSpec(Propagated, frozen=True, kw_only=True):
    """Any other kind with ``spec`` and ``status``."""

    unmodelled = "spec status"


class Custom(Propagated, frozen=True, kw_only=True):
    """A resource of a kind that somebody defined; only its name is looked at."""

    unmodelled = ANYTHING
