"""skyedge's own kind beside Istio's: classes of service, and which requests are of which.

Where requests wait, at an endpoint or on a link, the class says who is served first.  Istio has no word for it, as its
proxies do not queue; endpoints and the links to an edge do.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from skyedge.kube.istio_values import Duration, check_durations
from skyedge.kube.metadata import Metadata
from skyedge.kube.problem import Problem
from skyedge.kube.shape import Shape, right_word


class TrafficClass(Shape, frozen=True, kw_only=True):
    """One class; ``weight`` is its share of the service where the discipline is ``Weighted``."""

    name: Annotated[str, Meta(min_length=1)]
    weight: Annotated[float, Meta(gt=0)] | None = None


class TrafficClassRule(Shape, frozen=True, kw_only=True):
    """Requests of a class: all that is given must hold; the first rule that holds counts."""

    class_: str = field(name="class")
    headers: dict[str, str] = field(default_factory=dict)
    caller_labels: dict[str, str] = field(default_factory=dict)
    routes: tuple[str, ...] = ()

    @property
    def takes_all(self) -> bool:
        """Whether it asks for nothing."""
        return not (self.headers or self.caller_labels or self.routes)


class TrafficClassesSpec(Shape, frozen=True, kw_only=True):
    """``spec`` of the classes, the most urgent first; what no rule names is of ``default``, or of the last."""

    discipline: Literal["Strict", "Weighted"] = "Strict"
    starvation_limit: Duration | None = None
    default: str = ""
    classes: Annotated[tuple[TrafficClass, ...], Meta(min_length=1)]
    rules: tuple[TrafficClassRule, ...] = ()

    def check(self) -> None:
        check_durations(self, "starvation_limit", least_s=1e-6)
        names = [one.name for one in self.classes]
        for number, name in enumerate(names):
            if name in names[:number]:
                raise Problem(("classes", number, "name"), f"there is a class '{name}' already")
        said = [(("rules", number, "class"), rule.class_) for number, rule in enumerate(self.rules)]
        for path, name in (*said, *([(("default",), self.default)] if self.default else [])):
            if name not in names:
                raise Problem(path, f"there is no class '{name}'", right_word(name, names))
        for number, rule in enumerate(self.rules[:-1]):
            if rule.takes_all:
                raise Problem(("rules", number), "this rule asks for nothing and takes all, so those after it are never met")
        if self.discipline == "Weighted":
            if self.starvation_limit is not None:
                raise Problem(("starvationLimit",), "this is for the discipline Strict; weights let nobody starve")
        else:
            for number, one in enumerate(self.classes):
                if one.weight is not None:
                    raise Problem(("classes", number, "weight"), "weights mean something only to the discipline Weighted")


class TrafficClasses(Shape, frozen=True, kw_only=True):
    """The classes of a mesh."""

    api_version: str
    kind: str
    metadata: Metadata
    spec: TrafficClassesSpec
