"""From the shapes of policies to the rules that deciders follow: selectors, affinities, placement, overrides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from skyedge.errors import InputError
from skyedge.kube import Manifest
from skyedge.kube import karmada as kinds
from skyedge.kube.karmada import PropagationPolicy as PolicyManifest
from skyedge.kube.karmada_overrides import OverridePolicy as OverrideManifest
from skyedge.kube.karmada_overrides import Overriders
from skyedge.kube.metadata import LabelRequirement, LabelSelector, NodeRequirement
from skyedge.kube.problem import Path
from skyedge.layers.federation.affinity import ClusterAffinity
from skyedge.layers.federation.division import Strategy
from skyedge.layers.federation.manifest_overrides import (
    Change,
    Changes,
    ImageChange,
    ListChange,
    MapChange,
    PatchChange,
    TextChange,
)
from skyedge.layers.federation.objects import Toleration
from skyedge.layers.federation.overrides import ImageComponent, ImageOverride, JsonPatch, Operator
from skyedge.layers.federation.placement import AffinityGroup, PlacementRules, WeightedAffinity
from skyedge.layers.federation.policy import OverridePolicy, OverrideRule, PropagationPolicy, ResourceSelector
from skyedge.layers.federation.reading.figures import SCORES, WEIGH_BY_SCORE, annotated, figures
from skyedge.layers.federation.scores import check_weights, score_named
from skyedge.layers.federation.spread import SpreadConstraint
from skyedge.layers.scheduler.objects import Requirement

DEFAULT_NAMESPACE = "default"


def affinity_of(given: kinds.ClusterAffinity | None) -> ClusterAffinity:
    """Which clusters are meant; all, if nothing is said."""
    if given is None:
        return ClusterAffinity()
    labels, fields = given.label_selector or LabelSelector(), given.field_selector or kinds.FieldSelector()
    return ClusterAffinity(
        cluster_names=given.cluster_names,
        exclude_clusters=given.exclude,
        match_labels=labels.match_labels,
        match_expressions=_requirements(labels.match_expressions),
        field_selector=_requirements(fields.match_expressions),
    )


def _requirements(given: Iterable[NodeRequirement | LabelRequirement]) -> tuple[Requirement, ...]:
    return tuple(Requirement(one.key, one.operator, one.values) for one in given)


def selectors_of(given: Sequence[kinds.ResourceSelector]) -> tuple[ResourceSelector, ...]:
    """Which resources are meant."""
    selectors = []
    for one in given:
        labels = one.label_selector or LabelSelector()
        expressions = _requirements(labels.match_expressions)
        selectors.append(
            ResourceSelector(one.kind, one.api_version, one.name, one.namespace, labels.match_labels, expressions)
        )
    return tuple(selectors)


def namespace_of_policy(manifest: Manifest[PolicyManifest] | Manifest[OverrideManifest]) -> str:
    """The namespace of a policy; none, if it is one of the whole federation."""
    wide = manifest.object.kind.startswith("Cluster")
    return "" if wide else manifest.object.metadata.namespace or DEFAULT_NAMESPACE


def policy_of(manifest: Manifest[PolicyManifest]) -> PropagationPolicy:
    """The policy, as far as it says for which resources it speaks."""
    spec = manifest.object.spec
    selectors = selectors_of(spec.resource_selectors)
    return PropagationPolicy(manifest.object.metadata.name, selectors, namespace_of_policy(manifest), spec.priority)


def rules_of(manifest: Manifest[PolicyManifest]) -> PlacementRules:
    """Where the resources of a policy may run.

    Raises:
        InputError: with the place, for an annotation that is not as it should be.
    """
    placement = manifest.object.spec.placement
    groups = [
        AffinityGroup(
            term.affinity_name, affinity_of(term), tuple(affinity_of(overflow) for overflow in term.overflow_affinities)
        )
        for term in placement.cluster_affinities
    ]
    if placement.cluster_affinity is not None:
        groups = [AffinityGroup("", affinity_of(placement.cluster_affinity))]
    strategy, weights = _division(placement.replica_scheduling)
    by_score = (annotated(manifest, WEIGH_BY_SCORE) or "false").lower()
    path: Path = ("metadata", "annotations", WEIGH_BY_SCORE)
    if by_score not in ("true", "false"):
        raise manifest.error(path, f"this should be true or false, not '{by_score}'")
    if by_score == "true" and strategy is not Strategy.DYNAMIC_WEIGHT:
        raise manifest.error(path, "scores divide replicas only together with dynamicWeight: AvailableReplicas")
    return PlacementRules(
        groups=tuple(groups),
        tolerations=tuple(
            Toleration(
                t.key, t.operator, t.value, t.effect, None if t.toleration_seconds is None else max(0, t.toleration_seconds)
            )
            for t in placement.cluster_tolerations
        ),
        spread=tuple(SpreadConstraint(one.by, one.min_groups, one.max_groups) for one in placement.spread_constraints),
        strategy=strategy,
        static_weights=weights,
        scores=_scores(manifest),
        weigh_by_score=by_score == "true",
    )


def _scores(manifest: Manifest[PolicyManifest]) -> dict[str, float]:
    weights = figures(manifest, SCORES)
    try:
        for name in weights:
            score_named(name)
        if weights:
            check_weights(weights)
    except InputError as error:
        raise manifest.error(("metadata", "annotations", SCORES), error.message, error.nearest) from None
    return weights


def _division(given: kinds.ReplicaScheduling | None) -> tuple[Strategy, tuple[WeightedAffinity, ...]]:
    if given is None or given.replica_scheduling_type == "Duplicated":
        return Strategy.DUPLICATED, ()
    if given.replica_division_preference == "Aggregated":
        return Strategy.AGGREGATED, ()
    preference = given.weight_preference or kinds.ClusterPreferences()
    if preference.dynamic_weight:
        return Strategy.DYNAMIC_WEIGHT, ()
    weights = [WeightedAffinity(one.weight, affinity_of(one.target_cluster)) for one in preference.static_weight_list]
    return Strategy.STATIC_WEIGHT, tuple(weights)


@dataclass(frozen=True, eq=False)
class _At:
    """A place in a file that is looked up only for the sentence that needs it."""

    manifest: Manifest[OverrideManifest]
    path: Path

    def __str__(self) -> str:
        return self.manifest.place(*self.path)


def override_policy_of(manifest: Manifest[OverrideManifest]) -> OverridePolicy[Changes]:
    """An override policy, each of whose changes knows where it was asked for."""
    spec = manifest.object.spec
    rules = [
        OverrideRule(
            _changes(manifest, ("spec", "overrideRules", place, "overriders"), rule.overriders),
            None if rule.target_cluster is None else affinity_of(rule.target_cluster),
        )
        for place, rule in enumerate(spec.override_rules)
    ]
    if spec.overriders is not None and not spec.override_rules:
        old = _changes(manifest, ("spec", "overriders"), spec.overriders)
        rules.append(OverrideRule(old, None if spec.target_cluster is None else affinity_of(spec.target_cluster)))
    selectors = selectors_of(spec.resource_selectors)
    return OverridePolicy(manifest.object.metadata.name, tuple(rules), selectors, namespace_of_policy(manifest))


def _changes(manifest: Manifest[OverrideManifest], path: Path, given: Overriders) -> Changes:
    """The changes in the order in which they are made."""
    found: list[Change] = []
    for at, image in enumerate(given.image_overrider):
        override = ImageOverride(ImageComponent(image.component), Operator(image.operator), image.value)
        where = _At(manifest, (*path, "imageOverrider", at))
        found.append(ImageChange(override, image.predicate.path if image.predicate else None, where))
    for name, overriders in (("command", given.command_overrider), ("args", given.args_overrider)):
        for at, one in enumerate(overriders):
            where = _At(manifest, (*path, f"{name}Overrider", at))
            found.append(
                ListChange(name, one.container_name, Operator(one.operator), one.value, where)  # type: ignore[arg-type]
            )
    for name, tables in (("labels", given.labels_overrider), ("annotations", given.annotations_overrider)):
        for at, table in enumerate(tables):
            where = _At(manifest, (*path, f"{name}Overrider", at))
            found.append(MapChange(name, Operator(table.operator), table.value, where))  # type: ignore[arg-type]
    for at, text in enumerate(given.field_overrider):
        where = _At(manifest, (*path, "fieldOverrider", at))
        patches = [JsonPatch(Operator(one.operator), one.sub_path, one.value) for one in text.json or text.yaml]
        found.append(TextChange(text.field_path, "JSON" if text.json else "YAML", tuple(patches), where))
    for at, patch in enumerate(given.plaintext):
        where = _At(manifest, (*path, "plaintext", at))
        found.append(PatchChange(JsonPatch(Operator(patch.operator), patch.path, patch.value), where))
    return tuple(found)
