"""Karmada's override policies: how resources are changed for clusters."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import field

from skyedge.kube.karmada import ClusterAffinity, ResourceSelector, check_own_namespace
from skyedge.kube.metadata import Metadata
from skyedge.kube.object_names import check_label_key, check_labels
from skyedge.kube.problem import Problem
from skyedge.kube.shape import Shape

Operator = Literal["add", "remove", "replace"]


class JsonPatch(Shape, frozen=True, kw_only=True):
    """One operation on a manifest."""

    path: str
    operator: Operator
    value: Any = None


class ImagePredicate(Shape, frozen=True, kw_only=True):
    """Where the image stands."""

    path: str


class ImageOverrider(Shape, frozen=True, kw_only=True):
    """One change of images."""

    predicate: ImagePredicate | None = None
    component: Literal["Registry", "Repository", "Tag"]
    operator: Operator
    value: str = ""

    def check(self) -> None:
        if self.operator != "remove" and not self.value:
            raise Problem(("value",), f"'{self.operator}' needs a value")


class ListOverrider(Shape, frozen=True, kw_only=True):
    """One change of the command, or the arguments, of a container."""

    container_name: str
    operator: Literal["add", "remove"]
    value: tuple[str, ...] = ()


class MapOverrider(Shape, frozen=True, kw_only=True):
    """One change of labels or annotations."""

    operator: Operator
    value: dict[str, str] = field(default_factory=dict)


def check_pointer(pointer: str) -> None:
    """Raise a :class:`Problem` unless this is a path into a manifest: empty, or words with a slash before each."""
    if pointer and not pointer.startswith("/"):
        raise Problem((), f"'{pointer}' should start with '/', as paths into a manifest do", f"/{pointer}")


class FieldPatch(Shape, frozen=True, kw_only=True):
    """One operation on a text that holds JSON or YAML."""

    sub_path: str
    operator: Operator
    value: Any = None

    def check(self) -> None:
        try:
            check_pointer(self.sub_path)
        except Problem as problem:
            raise problem.below("subPath") from None
        if (self.value is None) != (self.operator == "remove"):
            raise Problem(("value",), f"'{self.operator}' {'needs a' if self.value is None else 'takes no'} value")


class FieldOverrider(Shape, frozen=True, kw_only=True):
    """Changes of a text within the manifest, which is JSON or YAML."""

    field_path: str
    json: tuple[FieldPatch, ...] = ()
    yaml: tuple[FieldPatch, ...] = ()

    def check(self) -> None:
        try:
            check_pointer(self.field_path)
        except Problem as problem:
            raise problem.below("fieldPath") from None
        if self.json and self.yaml:
            raise Problem(("yaml",), "a text is either JSON or YAML, not both")


class Overriders(Shape, frozen=True, kw_only=True):
    """Changes, which are made in this order."""

    image_overrider: tuple[ImageOverrider, ...] = ()
    command_overrider: tuple[ListOverrider, ...] = ()
    args_overrider: tuple[ListOverrider, ...] = ()
    labels_overrider: tuple[MapOverrider, ...] = ()
    annotations_overrider: tuple[MapOverrider, ...] = ()
    field_overrider: tuple[FieldOverrider, ...] = ()
    plaintext: tuple[JsonPatch, ...] = ()

    def check(self) -> None:
        for number, one in enumerate(self.labels_overrider):
            try:
                check_labels(one.value)
            except Problem as problem:
                raise problem.below("labelsOverrider", number, "value") from None
        for number, one in enumerate(self.annotations_overrider):
            for key in one.value:
                try:
                    check_label_key(key.lower())  # as the API does with those of annotations
                except Problem as problem:
                    raise problem.below("annotationsOverrider", number, "value", key) from None


class OverrideRule(Shape, frozen=True, kw_only=True):
    """Changes for some clusters, or for all."""

    target_cluster: ClusterAffinity | None = None
    overriders: Overriders


class OverrideSpec(Shape, frozen=True, kw_only=True):
    """``spec`` of an override policy; the last two fields are the old way to write one rule."""

    resource_selectors: tuple[ResourceSelector, ...] = ()
    override_rules: tuple[OverrideRule, ...] = ()
    target_cluster: ClusterAffinity | None = None
    overriders: Overriders | None = None

    def check(self) -> None:
        if self.override_rules and (self.target_cluster or self.overriders not in (None, Overriders())):
            raise Problem(("overriders",), "give either overrideRules or, as of old, overriders, not both")


class OverridePolicy(Shape, frozen=True, kw_only=True):
    """How resources of its namespace are changed for clusters."""

    api_version: str
    kind: str
    metadata: Metadata
    spec: OverrideSpec

    def check(self) -> None:
        check_own_namespace(self.spec.resource_selectors, self.metadata.namespace)


class ClusterOverridePolicy(OverridePolicy, frozen=True, kw_only=True):
    """How resources of any namespace are changed for clusters."""

    def check(self) -> None:
        """Nothing is out of its reach."""
