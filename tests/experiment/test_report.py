"""The report as a reader meets it: opened in headless Chromium, nothing missing, nothing broken, nothing fetched."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from skyedge.cli.app import main

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SECTIONS = (
    "Claims",
    "Arms",
    "Accuracy against bytes",
    "Where the fleet flew",
    "Passes",
    "Queue and battery",
    "From capture to answer",
    "By climate zone",
    "By class",
    "Gallery",
)
MEASURE = """<script>
const box = e => { const r = e.getBoundingClientRect(); return [Math.round(r.width), Math.round(r.height)] };
document.title = JSON.stringify({
  headings: [...document.querySelectorAll('h2')].map(e => e.textContent),
  images: [...document.images].map(e => [e.naturalWidth, ...box(e)]),
  drawings: [...document.querySelectorAll('svg')].map(box),
  rows: document.querySelectorAll('table tr').length,
  page: [document.documentElement.scrollWidth, document.documentElement.scrollHeight],
  fetched: performance.getEntriesByType('resource').map(e => e.name).filter(name => !name.startsWith('data:')),
});
</script>"""


def chromium(*arguments):
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1280,900", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["skyedge", "run", "slice", "--hosting", "in-process", "-o", str(folder)])
        with pytest.raises(SystemExit) as stop:
            main()
    assert not stop.value.code
    return next(folder.glob("slice-*/report.html"))


def test_a_report_is_one_file_that_fetches_nothing(report):
    page = report.read_text()
    addresses = re.findall(r"""(?:src|href|url)\s*[=(]\s*['"]?([^'")\s>]+)""", page)
    assert addresses
    # drawings refer to their own parts (#...), pictures are in the page itself
    assert [address for address in addresses if not address.startswith(("#", "data:"))] == []


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here to look with")
def test_chromium_shows_every_section_and_every_picture(report, tmp_path):
    copy = tmp_path / "measured.html"
    copy.write_text(report.read_text().replace("</body>", f"{MEASURE}</body>"))
    title = re.search(r"<title>(.*?)</title>", chromium("--dump-dom", copy.as_uri()), re.DOTALL)
    seen = json.loads(title.group(1))
    assert [heading for heading in SECTIONS if heading not in seen["headings"]] == []
    assert seen["fetched"] == []
    assert all(natural > 0 and width > 50 and height > 50 for natural, width, height in seen["images"])
    assert all(width > 300 and height > 100 for width, height in seen["drawings"])
    assert len(seen["drawings"]) >= 6
    assert len(seen["images"]) > 1  # the map and the gallery
    assert seen["rows"] >= 3
    assert seen["page"][0] <= 1280  # nothing sticks out sideways


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here to look with")
def test_a_picture_of_the_page_is_not_blank_anywhere_at_length(report, tmp_path):
    shot = tmp_path / "page.png"
    chromium("--hide-scrollbars", "--window-size=1280,4000", f"--screenshot={shot}", report.as_uri())
    with Image.open(shot) as image:
        pixels = np.asarray(image.convert("RGB"))
    assert pixels.shape == (4000, 1280, 3)
    for top in range(0, 4000, 500):
        ink = (pixels[top : top + 500] < 250).any(axis=2).mean()
        assert ink > 0.005, f"nothing to see from {top} px on"
    colours = len(np.unique(pixels.reshape(-1, 3), axis=0))
    assert colours > 2000  # the map of the Earth is there, not a grey box
