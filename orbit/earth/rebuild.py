"""Make the packed maps beside this script from a folder of the raw files: `python orbit/earth/rebuild.py FOLDER`.

The raw files are small enough to be taken as they are; what is checked is that they have the size and the values that
the program counts on.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
from PIL import Image

MAPS = {
    **{
        f"nasa-bmng-{month}_2048.jpg": (f"blue-marble-{month}.jpg", (2048, 1024), None)
        for month in ("01", "03", "05", "07", "08")
    },
    "land-cover-igbp-2019_7200x3600.png": ("land-cover-igbp-2019.png", (7200, 3600), 16),
    "climate-zone_3600x1800.png": ("climate-zone.png", (3600, 1800), 5),
}


def main(raw: Path) -> None:
    """Check and copy every map."""
    for name, (packed, size, largest) in MAPS.items():
        with Image.open(raw / name) as image:
            if image.size != size:
                sys.exit(f"{raw / name}: {image.size} is not {size}")
            if largest is not None and np.asarray(image).max() > largest:
                sys.exit(f"{raw / name}: a value is above {largest}")
        shutil.copyfile(raw / name, Path(__file__).parent / packed)
        print(packed)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
