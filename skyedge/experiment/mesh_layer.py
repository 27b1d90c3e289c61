"""``layers.mesh`` of the experiment file: to which cluster each hard scene goes, and each question of a user."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from skyedge.errors import InputError, nearest
from skyedge.experiment.durations import Duration, Length
from skyedge.layers.mesh.outlier import OutlierConfig
from skyedge.layers.mesh.retries import DEFAULT_ATTEMPTS
from skyedge.nodes.cluster_choice import Balance, ChoiceRules
from skyedge.nodes.dispatcher import DispatchRules
from skyedge.profiles import Part
from skyedge.resources import find
from skyedge.space.sites import Sites
from skyedge.time import SECOND, parse_duration

WHERE = "layers.mesh"


def _rows(value: Any) -> Any:
    """The cities of a file in place of its name, so that the content and not the name decides the digest."""
    if not isinstance(value, str):
        return value
    try:
        sites = Sites.from_csv(find(value, kind="orbit"))
    except InputError as error:
        raise ValueError(str(error)) from None
    columns = zip(sites.names, sites.lat_deg.tolist(), sites.lon_deg.tolist(), strict=True)
    return [{"name": name, "lat_deg": lat_deg, "lon_deg": lon_deg} for name, lat_deg, lon_deg in columns]


class City(Part):
    """Where users are."""

    name: str = Field(min_length=1)
    lat_deg: float = Field(ge=-90, le=90)
    lon_deg: float = Field(ge=-180, le=360)


class Users(Part):
    """Who asks for the newest answer over a zone of 10 degrees, at random, in proportion to how often it is photographed."""

    cities: Annotated[tuple[City, ...], BeforeValidator(_rows)] = Field(
        min_length=1, description="Rows of name, lat_deg and lon_deg, or a file of sites."
    )
    only: tuple[str, ...] = Field(default=(), description="Of the file only these; all if not given.")
    per_hour: float = Field(default=4.0, gt=0, le=3600, description="Questions of each city; assumed.")
    answer_kb: float = Field(default=200.0, gt=0, le=1e6, description="What a user is sent, a map of the zone; assumed.")

    def chosen(self) -> list[City]:
        """The cities that count."""
        return [city for city in self.cities if not self.only or city.name in self.only]


Percents = dict[str, Annotated[int, Field(ge=0, le=100)]]
"""Where the traffic of a locality goes."""


class Outlier(Part):
    """When a cluster that fails is left out for a while, at one proxy."""

    consecutive_errors: int = Field(default=1, ge=1, le=10_000, description="A transfer is one; Envoy's 5 are of requests.")
    interval_s: float = Field(default=10.0, ge=0.001, le=86_400, description="Envoy's.")
    ejection_s: float = Field(default=30.0, ge=0.001, le=86_400, description="The first; it grows. Envoy's.")
    most_percent: float = Field(default=50.0, ge=0, le=100, description="Of the clusters; one may always go.")

    def config(self) -> OutlierConfig:
        """As the layer understands it."""
        return OutlierConfig(
            self.consecutive_errors,
            interval_ms=round(self.interval_s * 1000),
            base_ejection_time_ms=round(self.ejection_s * 1000),
            max_ejection_percent=self.most_percent,
        )


class Mesh(Part):
    """How every picture and every question finds its cluster."""

    balance: Balance = Field(default="nearest", description="nearest, least-request or distribute.")
    distribute: dict[str, Percents] = Field(
        default_factory=dict,
        description="From a region, region/cluster or *, percents to such; the first that fits a station counts.",
    )
    spill_over_s: float | None = Field(
        default=None, ge=0, le=1e6, description="A cluster further behind gets nothing while another is not."
    )
    attempts: int = Field(default=DEFAULT_ATTEMPTS, ge=0, le=100, description="Again, after a failure; Istio's 2.")
    timeout: Length = Field(default="10s", description="Nobody takes it for so long: failed. Istio's, to connect.")
    answer_timeout: Length = Field(default="10min", description="Taken, and not answered so long after it should be.")
    pause: Duration = Field(default="1s", description="Before the first further attempt, more before the next; assumed.")
    outlier: Outlier | None = Outlier()
    users: Users | None = None

    def choice(self) -> ChoiceRules:
        """How a cluster is chosen."""
        outlier = self.outlier.config() if self.outlier else None
        return ChoiceRules(self.balance, tuple(self.distribute.items()), self.spill_over_s, outlier)

    def dispatch(self) -> DispatchRules:
        """What happens to what fails."""
        return DispatchRules(
            self.attempts, parse_duration(self.timeout), parse_duration(self.answer_timeout), parse_duration(self.pause)
        )

    def check(self, regions: Sequence[tuple[str, str]], taken: Sequence[str], quantum_us: int) -> None:
        """Check that all fits together.

        Args:
            regions: of the clusters, region and name.
            taken: names that no city may have.
            quantum_us: the grid on which the network delivers.

        Raises:
            InputError: for a name that points to nothing or is there twice, shares that do not fit, or a short time-out.
        """
        if parse_duration(self.timeout) < 3 * quantum_us:
            words = f"no word comes back within {self.timeout} over links that deliver every {quantum_us / SECOND:g} s"
            raise InputError(words, where=f"{WHERE}.timeout")
        if (self.balance == "distribute") is not bool(self.distribute):
            raise InputError("balance: distribute and the shares of distribute go together", where=f"{WHERE}.distribute")
        for start, to in self.distribute.items():
            _check_shares(start, to, regions)
        if self.users is None:
            return
        names = [city.name for city in self.users.cities]
        for number, name in enumerate(self.users.only):
            if name not in names:
                raise InputError(
                    f"there is no city '{name}'", where=f"{WHERE}.users.only.{number}", nearest=nearest(name, names)
                )
        chosen = [city.name for city in self.users.chosen()]
        twice = next((name for name, count in Counter(chosen).items() if count > 1), None)
        if twice is not None:
            raise InputError(f"'{twice}' is there twice", where=f"{WHERE}.users.cities")
        clash = next((name for name in chosen if user_of(name) in taken), None)
        if clash is not None:
            raise InputError(f"a city cannot be called '{clash}': something else is", where=f"{WHERE}.users.cities")


def _check_shares(start: str, to: Percents, regions: Sequence[tuple[str, str]]) -> None:
    where = f"{WHERE}.distribute.{start}"
    if sum(to.values()) != 100:
        raise InputError(f"the shares from {start} add to {sum(to.values())}, not to 100", where=where)
    known = {"*", *(region for region, _ in regions), *(f"{region}/{name}" for region, name in regions)}
    for place in (start, *to):
        if place.removesuffix("/*") not in known:
            raise InputError(f"no cluster is in '{place}'", where=where, nearest=nearest(place, known))


def user_of(city: str) -> str:
    """The name of the node of a city's users: a city may be the name of a station, too."""
    return f"users-{city}"
