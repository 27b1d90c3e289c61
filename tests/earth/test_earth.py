"""The Earth is where it should be, at the same size everywhere, and its clouds are as frequent as observed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.earth import CALIBRATE, CLASSES, EVALUATE, TRAIN, Earth
from skyedge.earth.blocks import SPLIT_OF_BLOCK, block_of, lies_within_split, sample_points
from skyedge.earth.camera import Camera
from skyedge.earth.cloud import CloudField
from skyedge.earth.footprint import EARTH_RADIUS_KM, footprint
from skyedge.earth.scenes import degrade, product_bytes, render
from skyedge.errors import InputError
from skyedge.time import DAY, parse_utc

EARTH = Earth.load()
JANUARY, JULY = parse_utc("2023-01-15"), parse_utc("2023-07-15")


@pytest.mark.parametrize(
    ("place", "lat", "lon", "label"),
    [
        ("the Sahara", 25, 5, "barren"),
        ("the Amazon", -4, -63, "forest"),
        ("Greenland", 75, -40, "snow and ice"),
        ("the Ganges plain", 26, 82, "cropland"),
        ("Mongolia", 47, 106, "grassland"),
        ("inner Australia", -25, 130, "shrubland"),
    ],
)
def test_known_places_have_their_known_cover(place, lat, lon, label):
    found, purity, _ = EARTH.label(lat, lon, 200)
    assert CLASSES[found[0]] == label, place
    assert purity[0] > 0.5


def test_the_sea_has_no_label():
    label, _, water = EARTH.label([0, 45], [-30, -40], 300)
    assert label.tolist() == [-1, -1]
    assert water.min() == 1


@given(st.floats(-89, 89), st.floats(-180, 180), st.floats(50, 500))
@settings(max_examples=60)
def test_a_footprint_has_the_same_size_at_every_latitude(lat, lon, ground_km):
    lat_deg, lon_deg = (np.radians(x[0]) for x in footprint(lat, lon, ground_km, 8))
    unit = np.stack([np.cos(lat_deg) * np.cos(lon_deg), np.cos(lat_deg) * np.sin(lon_deg), np.sin(lat_deg)], -1)
    across_km = EARTH_RADIUS_KM * np.arccos(np.clip((unit[4, 0] * unit[4, -1]).sum(), -1, 1))
    assert abs(across_km / (ground_km * 7 / 8) - 1) < 0.01


def test_tiles_do_not_depend_on_their_batch_and_meet_at_the_date_line():
    lat, lon = np.array([68.0, -16.5, 30.0]), np.array([179.99, 179.9, 10.0])
    together = EARTH.tiles(lat, lon, JULY, 300, 16)
    for row in range(3):
        assert np.array_equal(EARTH.tiles(lat[row], lon[row], JULY, 300, 16)[0], together[row])
    west = EARTH.tiles(68.0, -180.0, JULY, 300, 16)[0].astype(int)
    east = EARTH.tiles(68.0, 180.0, JULY, 300, 16)[0].astype(int)
    assert np.array_equal(west, east)


def test_winter_is_white_in_the_north_and_months_blend():
    lat, lon = np.array([55.0]), np.array([80.0])
    winter, summer = (EARTH.tiles(lat, lon, at, 300, 16).mean() for at in (JANUARY, JULY))
    assert winter > summer + 40
    between = EARTH.tiles(lat, lon, parse_utc("2023-06-15"), 300, 16).astype(int)
    may, july = (EARTH.tiles(lat, lon, parse_utc(f"2023-{month}-15"), 300, 16).astype(int) for month in ("05", "07"))
    assert abs((between - (may + july) / 2).mean()) < 2


def test_an_autumn_date_is_refused_unless_the_blend_is_accepted():
    autumn = parse_utc("2023-10-15")
    with pytest.raises(InputError, match="2023-10-15"):
        EARTH.tiles(0, 0, autumn, 300, 16)
    assert EARTH.tiles(0, 20, autumn, 300, 16, accept_blend=True).shape == (1, 16, 16, 3)


def test_every_split_has_land_of_every_class():
    for split in (TRAIN, CALIBRATE, EVALUATE):
        draw = np.random.default_rng(1)
        _, _, label = sample_points(EARTH, split, 300, 0.5, 50, draw, draws=60_000)
        assert set(label.tolist()) >= set(range(len(CLASSES))) - {CLASSES.index("wetland")}


@given(st.floats(-85, 85), st.floats(-180, 180))
@settings(max_examples=100)
def test_a_training_footprint_touches_no_other_split(lat, lon):
    if lies_within_split(lat, lon, 300, TRAIN)[0]:
        edge_lat, edge_lon = footprint(lat, lon, 300, 16)
        assert set(SPLIT_OF_BLOCK[block_of(edge_lat, edge_lon)].ravel().tolist()) == {TRAIN}


def test_clouds_cover_what_modis_saw():
    draw = np.random.default_rng(0)
    lat, lon = np.degrees(np.arcsin(draw.uniform(-1, 1, 3000))), draw.uniform(-180, 180, 3000)
    water = EARTH.label(lat, lon, 300)[2]
    times = JANUARY + draw.integers(0, 300, 3000) * DAY
    cover = (CloudField(3).opacity(lat, lon, times, water, 300, 8) > 0.5).mean(axis=(1, 2))
    assert abs(cover.mean() - 0.67) < 0.03  # the globe
    assert abs(cover[water > 0.9].mean() - 0.72) < 0.04  # sea
    assert abs(cover[water < 0.1].mean() - 0.55) < 0.05  # land


def test_clouds_are_one_sky_for_all_and_another_for_another_seed():
    lat, lon, water = np.array([10.0, 50.0]), np.array([20.0, -90.0]), np.zeros(2)
    field = CloudField(5)
    both = field.opacity(lat, lon, JULY, water, 300, 16)
    assert np.array_equal(field.opacity(lat[1], lon[1], JULY, water[1], 300, 16)[0], both[1])
    assert not np.array_equal(CloudField(6).opacity(lat, lon, JULY, water, 300, 16), both)


def test_clouds_nearby_are_alike_and_clouds_far_away_are_not():
    draw = np.random.default_rng(2)
    lat, lon = draw.uniform(-50, 50, 1500), draw.uniform(-180, 180, 1500)
    sky = CloudField(7)

    def cover(moved_deg, later):
        return sky.opacity(lat + moved_deg, lon, JULY + later, np.ones(1500), 300, 4).mean(axis=(1, 2))

    here = cover(0, 0)
    assert np.corrcoef(here, cover(0.5, 0))[0, 1] > 0.8
    assert abs(np.corrcoef(here, cover(40, 0))[0, 1]) < 0.25
    assert abs(np.corrcoef(here, cover(0, 5 * DAY))[0, 1]) < 0.4


def test_a_covered_scene_is_white_and_compression_costs_detail_and_saves_bytes():
    ground = EARTH.tiles(np.full(4, -4.0), np.full(4, -63.0), JULY, 300, 16)
    clear = render(ground, np.zeros((4, 16, 16), np.float32), np.full(4, 60.0), 1)
    covered = render(ground, np.ones((4, 16, 16), np.float32), np.full(4, 60.0), 1)
    assert covered.mean() > clear.mean() + 100
    errors = [np.abs(degrade(clear, view).astype(int) - clear).mean() for view in ("camera", "q85", "q30")]
    assert errors[0] == 0 < errors[1] < errors[2]
    sizes = [product_bytes(Camera(), view) for view in ("camera", "q85", "q50", "q30")]
    assert sizes == sorted(sizes, reverse=True)
    with pytest.raises(InputError, match="unknown view 'sharp'"):
        degrade(clear, "sharp")
