"""Floor 1: what is at (latitude, longitude, date): imagery, land cover, climate zone, cloud, and the camera's view."""

from skyedge.earth.blocks import CALIBRATE, EVALUATE, TRAIN
from skyedge.earth.imagery import Earth
from skyedge.earth.land import CLASSES, CLIMATE_ZONES

__all__ = ["CALIBRATE", "CLASSES", "CLIMATE_ZONES", "EVALUATE", "TRAIN", "Earth"]
