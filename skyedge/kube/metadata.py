"""What every object carries, and how objects are selected by it."""

from __future__ import annotations

from typing import Literal

from msgspec import field

from skyedge.kube.problem import Problem
from skyedge.kube.shape import Shape


class Metadata(Shape, frozen=True, kw_only=True):
    """``metadata`` of an object."""

    bookkeeping = (
        "generateName managedFields ownerReferences resourceVersion generation selfLink finalizers "
        "deletionGracePeriodSeconds"
    )

    name: str = ""
    namespace: str = ""
    uid: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None


class LabelRequirement(Shape, frozen=True, kw_only=True):
    """One expression of a label selector."""

    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: tuple[str, ...] = ()

    def check(self) -> None:
        check_values(self.operator, self.values)


class LabelSelector(Shape, frozen=True, kw_only=True):
    """Labels that an object must have; an empty selector selects all."""

    match_labels: dict[str, str] = field(default_factory=dict)
    match_expressions: tuple[LabelRequirement, ...] = ()


class NodeRequirement(Shape, frozen=True, kw_only=True):
    """One expression over the labels, or the name, of a node."""

    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
    values: tuple[str, ...] = ()

    def check(self) -> None:
        check_values(self.operator, self.values)


class NodeSelectorTerm(Shape, frozen=True, kw_only=True):
    """Expressions that must all hold; a term without any holds nowhere."""

    match_expressions: tuple[NodeRequirement, ...] = ()
    match_fields: tuple[NodeRequirement, ...] = ()

    def check(self) -> None:
        for number, requirement in enumerate(self.match_fields):
            if requirement.key != "metadata.name":
                raise Problem(
                    ("matchFields", number, "key"), f"'{requirement.key}' is not a field to select by", "metadata.name"
                )


def check_values(operator: str, values: tuple[str, ...]) -> None:
    """Raise a :class:`Problem` unless ``values`` are what ``operator`` needs."""
    if operator in ("In", "NotIn") and not values:
        raise Problem(("values",), f"{operator} needs at least one value")
    if operator in ("Exists", "DoesNotExist") and values:
        raise Problem(("values",), f"{operator} takes no values")
    if operator in ("Gt", "Lt") and (len(values) != 1 or not values[0].removeprefix("-").isdecimal()):
        raise Problem(("values",), f"{operator} needs one whole number, in quotes")
