"""What a study studies: a pure function from parameters and a seed to figures.

An experiment flies scenes over the Earth.  A study asks a question of the control plane that needs no scene: how a batch
scheduler fares, what a burst costs.  Its *subject* is a class with three things and no more::

    class Coffee(Subject):
        class Parameters(Part):
            cups: int = Field(default=3, ge=0, le=100)

        metrics = {"awake_h": Metric("awake", "h"), "cost": Metric("cost", "EUR", better="less")}

        def run(self, parameters: Parameters, seed: int) -> Findings:
            nap_h = stream(seed, "drinker", "nap").exponential()
            return Findings({"awake_h": 16 + parameters.cups - nap_h, "cost": 0.5 * parameters.cups})

The same parameters and seed give the same figures, to the last digit, in any process.  Random draws come from
:func:`skyedge.streams.stream` under the seed and never from what an arm sets, so that the arms of a seed see the same
luck and may be compared in pairs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from numpy.typing import ArrayLike

from skyedge.profiles import Part


@dataclass(frozen=True)
class Metric:
    """How a figure is called in a table, what it is counted in, and which way is better.

    A unit of ``%`` means a share: the figure runs from 0 to 1 and is written in percent.  A unit of ``bytes`` is written
    in MB, GB or TB.  Every other unit is written as it stands.
    """

    heading: str
    unit: str = ""
    better: Literal["more", "less"] = "more"


@dataclass(frozen=True)
class Series:
    """One line of a chart; series of the same name share a chart, one line an arm.

    ``x`` and ``y`` are of the same length; labels carry their units.  ``steps`` holds each value until the next point.
    """

    x: ArrayLike
    y: ArrayLike
    x_label: str
    y_label: str
    steps: bool = False


@dataclass(frozen=True)
class Listing:
    """A small table of the report, as it stands."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str | int | float]]


@dataclass(frozen=True)
class Findings:
    """What one run of a subject found.

    ``figures`` has a finite number for each of the subject's metrics; one that is not known in this run is NaN and is
    shown as a dash.  Series and listings are shown for the first seed.
    """

    figures: Mapping[str, float]
    series: Mapping[str, Series] = field(default_factory=dict)
    listings: Mapping[str, Listing] = field(default_factory=dict)


class Subject(ABC):
    """What a study studies; see the head of this module.

    An arm and a claim may speak of each metric ``m`` and of four figures made of it against the baseline of the same seed:
    ``m_difference`` (x - base), ``m_ratio`` (x / base), ``m_gain`` (x / base - 1) and ``m_reduction`` (1 - x / base).
    """

    Parameters: ClassVar[type[Part]]
    """What a file may set, with a default for each or not, its range and its unit."""

    metrics: ClassVar[Mapping[str, Metric]]
    """What a run measures, in the order of the table."""

    @abstractmethod
    def run(self, parameters: Any, seed: int) -> Findings:
        """Run once.

        Args:
            parameters: an instance of :attr:`Parameters`.
            seed: keys every random stream.

        Raises:
            InputError: if the parameters ask for what cannot be (say so in one sentence; the runner adds the arm).
        """

    def input_files(self, parameters: Any) -> Iterable[Path]:
        """Files that :meth:`run` reads with these parameters: what they hold decides the results, so it counts in digests.

        A name in ``parameters`` that has a suffix or a slash means the file beside the one that says it, if there is one.

        Raises:
            InputError: if one is missing.
        """
        return ()
