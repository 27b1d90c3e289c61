"""Training pictures, from the Earth or from a user's folder, by the same renderer that the fleet sees through.

Two shapes.  *Pictures* are a fixed set, for calibration and for examinations.  An :class:`Archive` makes batches without
end: a ground (of a place, in one of its months) under a sky that it never had before, so that a network cannot learn
clouds by heart.  The independent footprints of the Earth's train blocks are some hundreds; all else is augmentation.

Two sources of either.  :class:`EarthSource` has places in chosen months and chosen blocks, :class:`FolderSource` has
tiles, and lays over them the skies of places in the blocks of the same split.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from skyedge.earth import CLASSES, TRAIN, Earth
from skyedge.earth.blocks import sample_points
from skyedge.earth.camera import Camera
from skyedge.earth.cloud import CloudField
from skyedge.earth.scenes import render
from skyedge.earth.tile_folder import TileFolder
from skyedge.streams import stream
from skyedge.time import DAY, parse_utc

YEAR = 2022
"""The year of the training pictures' clouds; the Blue Marble itself is of 2004."""
SKIES = 12_000
"""Skies of an archive before the cloudier half goes."""
FOLDER_SKIES = 6_000
"""The same over the tiles of a folder, for thumbnails of 16 px; of larger ones as many as have the same pixels."""
_FEWEST_SKIES = 1_000
_DRAWS_FOR_SKIES = 20_000
BATCHES_AT_ONCE = 16
"""Batches rendered together, which is quicker than one by one."""
SUN_ELEVATION_DEG = (10.0, 70.0)


@dataclass(frozen=True, eq=False)
class Pictures:
    """Labelled pictures, columns of one length."""

    tiles: NDArray[np.uint8]  # (pictures, size, size, 3)
    label: NDArray[np.int64]
    cloud_cover: NDArray[np.float32]
    month: NDArray[np.int8]  # 0 where pictures have none
    climate: NDArray[np.int8]  # 0 where pictures have none

    def __len__(self) -> int:
        return len(self.label)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Pictures:
        """The rows chosen by an index or boolean array."""
        return Pictures(self.tiles[rows], self.label[rows], self.cloud_cover[rows], self.month[rows], self.climate[rows])


def make_pictures(
    earth: Earth,
    camera: Camera,
    split: int,
    months: tuple[int, ...],
    per_class: int,
    seed: int,
    *,
    clear_only: bool = True,
) -> Pictures:
    """Pictures of at most ``per_class`` places a class in each month, with clouds and a sun of 10° to 70°.

    ``clear_only`` keeps those that count as clear; otherwise about as many cloudy ones come along.
    """
    parts = []
    for month in months:
        draw = stream(seed, f"month {month}", "training pictures")
        lat, lon, label = sample_points(earth, split, camera.swath_km, camera.minimum_purity, per_class, draw)
        opacity = _skies(earth, camera, lat, lon, month, seed, draw)
        cover = _cover(opacity)
        rows = np.flatnonzero(cover <= 0.5) if clear_only else np.arange(len(lat))
        ground = earth.tiles(lat[rows], lon[rows], _mid(month), camera.swath_km, camera.thumbnail_px)
        tiles = render(ground, opacity[rows], draw.uniform(*SUN_ELEVATION_DEG, len(rows)), seed + month)
        zone = earth.climate_zone(lat[rows], lon[rows])
        month_column = np.full(len(rows), month, np.int8)
        parts.append(Pictures(tiles, label[rows].astype(np.int64), cover[rows], month_column, zone))
    return Pictures(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("tiles", "label", "cloud_cover", "month", "climate")
        )
    )


@dataclass(frozen=True, eq=False)
class Pictured:
    """What is on the pictures of a batch."""

    shares: NDArray[np.float32]  # (pictures, classes): of the land that has a class
    cloud_cover: NDArray[np.float32]  # (pictures,)


@dataclass(frozen=True, eq=False)
class Archive:
    """Places of the train blocks in several months, what covers them, and skies to lay over them."""

    ground: NDArray[np.uint8]  # (places, months, size, size, 3), without clouds
    shares: NDArray[np.float32]  # (places, classes): of the land that has a class
    chance: NDArray[np.float64]  # (places,) of being drawn
    opacity: NDArray[np.float32]  # (skies, size, size)
    cover: NDArray[np.float32]  # (skies,)

    @classmethod
    def of(
        cls, earth: Earth, camera: Camera, months: tuple[int, ...], per_class: int, seed: int, *, clear_only: bool = True
    ) -> Archive:
        """The archive of ``months``: at most ``per_class`` places of each class, seen in every month.

        A place need not be as pure as the camera wants its scenes: what it teaches is the shares of its classes.
        """
        draw = stream(seed, "archive", "training pictures")
        purity = 0.6 * camera.minimum_purity
        lat, lon, label = sample_points(earth, TRAIN, camera.swath_km, purity, per_class, draw)
        shares = earth.shares(lat, lon, camera.swath_km)[:, : int(label.max()) + 1]
        size = camera.thumbnail_px
        ground = np.stack([earth.tiles(lat, lon, _mid(month), camera.swath_km, size) for month in months], axis=1)
        # Rare classes are drawn more often than they occur here, common ones less: half-way to balance.
        weight = 1 / np.sqrt(np.maximum(np.bincount(label), 1))[label]
        under = draw.integers(0, len(lat), SKIES)
        opacity = _skies(earth, camera, lat[under], lon[under], months[0], seed, draw)
        if clear_only:
            opacity = opacity[_cover(opacity) <= 0.5]
        return cls(ground, shares / shares.sum(axis=1, keepdims=True), weight / weight.sum(), opacity, _cover(opacity))

    def batches(self, size: int, draw: np.random.Generator) -> Iterator[tuple[NDArray[np.uint8], Pictured]]:
        """Batches without end: pictures as taken (size, thumbnail, thumbnail, 3) and what is on them."""
        while True:
            count = size * BATCHES_AT_ONCE
            place = draw.choice(len(self.chance), count, p=self.chance)
            month = draw.integers(0, self.ground.shape[1], count)
            sky = draw.integers(0, len(self.cover), count)
            sun = draw.uniform(*SUN_ELEVATION_DEG, count)
            tiles = render(self.ground[place, month], self.opacity[sky], sun, int(draw.integers(1 << 30)))
            for start in range(0, count, size):
                rows = slice(start, start + size)
                yield tiles[rows], Pictured(self.shares[place[rows]], self.cover[sky[rows]])


class Source(Protocol):
    """Where labelled pictures come from."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the labels."""
        ...

    def pictures(
        self, split: int, months: tuple[int, ...], per_class: int, seed: int, *, clear_only: bool = True
    ) -> Pictures:
        """A fixed set from a split, of some ``per_class`` pictures a class (and month, where there are any)."""
        ...

    def archive(self, months: tuple[int, ...], per_class: int, seed: int, *, clear_only: bool = True) -> Archive:
        """What to train on: at most ``per_class`` grounds of each class from the train split."""
        ...


@dataclass(frozen=True)
class EarthSource:
    """Places of the Earth."""

    earth: Earth
    camera: Camera
    classes: tuple[str, ...] = CLASSES

    def pictures(
        self, split: int, months: tuple[int, ...], per_class: int, seed: int, *, clear_only: bool = True
    ) -> Pictures:
        """See :func:`make_pictures`."""
        return make_pictures(self.earth, self.camera, split, months, per_class, seed, clear_only=clear_only)

    def archive(self, months: tuple[int, ...], per_class: int, seed: int, *, clear_only: bool = True) -> Archive:
        """See :meth:`Archive.of`."""
        return Archive.of(self.earth, self.camera, months, per_class, seed, clear_only=clear_only)


@dataclass(frozen=True)
class FolderSource:
    """Tiles of a folder, which know no month."""

    folder: TileFolder
    earth: Earth
    camera: Camera

    @property
    def classes(self) -> tuple[str, ...]:
        """The folder's."""
        return self.folder.classes

    def pictures(
        self, split: int, months: tuple[int, ...], per_class: int, seed: int, *, clear_only: bool = True
    ) -> Pictures:
        """Tiles as the fleet meets them, each as often as the next; a small split is seen again under other skies."""
        draw = stream(seed, "folder", "training pictures")
        rows = draw.permutation(self.folder.rows_of(split))
        count = per_class * len(self.classes)
        rows = np.tile(rows, max(1, count // len(rows)))[:count]
        opacity = self._skies(split, max(_FEWEST_SKIES, 2 * len(rows)), seed, draw, clear_only=clear_only)
        opacity = opacity[draw.integers(0, len(opacity), len(rows))]
        ground = self.folder.tiles(self.camera.thumbnail_px)[rows]
        tiles = render(ground, opacity, draw.uniform(*SUN_ELEVATION_DEG, len(rows)), seed)
        none = np.zeros(len(rows), np.int8)
        return Pictures(tiles, self.folder.label[rows].astype(np.int64), _cover(opacity), none, none)

    def archive(self, months: tuple[int, ...], per_class: int, seed: int, *, clear_only: bool = True) -> Archive:
        """Train tiles under the skies of train blocks; rare classes are drawn more often, half-way to balance."""
        draw = stream(seed, "archive", "training pictures")
        rows = draw.permutation(self.folder.rows_of(TRAIN))
        every = self.folder.label[rows]
        rows = np.sort(np.concatenate([rows[every == label][:per_class] for label in range(len(self.classes))]))
        label = self.folder.label[rows]
        weight = 1 / np.sqrt(np.bincount(label))[label]
        opacity = self._skies(TRAIN, FOLDER_SKIES, seed, draw, clear_only=clear_only)
        ground = self.folder.tiles(self.camera.thumbnail_px)[rows][:, None]
        shares = np.eye(len(self.classes), dtype=np.float32)[label]
        return Archive(ground, shares, weight / weight.sum(), opacity, _cover(opacity))

    def _skies(
        self, split: int, count: int, seed: int, draw: np.random.Generator, *, clear_only: bool
    ) -> NDArray[np.float32]:
        """At most ``count`` skies over land in blocks of a split, before the cloudier half goes: (skies, size, size)."""
        camera = self.camera
        affordable = max(_FEWEST_SKIES, FOLDER_SKIES * 16**2 // camera.thumbnail_px**2)
        lat, lon, label = sample_points(
            self.earth, split, camera.swath_km, camera.minimum_purity, _DRAWS_FOR_SKIES, draw, draws=_DRAWS_FOR_SKIES
        )
        under = draw.integers(0, len(label), min(count, affordable))
        opacity = _skies(self.earth, camera, lat[under], lon[under], 1, seed, draw)
        return opacity[_cover(opacity) <= 0.5] if clear_only else opacity


def _mid(month: int) -> int:
    return parse_utc(f"{YEAR}-{month:02d}-15")


def _cover(opacity: NDArray[np.float32]) -> NDArray[np.float32]:
    return (opacity > 0.5).mean(axis=(1, 2)).astype(np.float32)


def _skies(
    earth: Earth,
    camera: Camera,
    lat_deg: NDArray[np.float64],
    lon_deg: NDArray[np.float64],
    month: int,
    seed: int,
    draw: np.random.Generator,
) -> NDArray[np.float32]:
    """A sky of its own for each place, so that no two share a cloud: opacity (places, size, size)."""
    times = _mid(month) + draw.integers(0, 365 * 24, len(lat_deg)) * (DAY // 24)
    water = earth.label(lat_deg, lon_deg, camera.swath_km)[2]
    return CloudField(seed + 1_000_003).opacity(lat_deg, lon_deg, times, water, camera.swath_km, camera.thumbnail_px)
