"""The page that every report stands on: one self-contained HTML file with one style."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from skyedge.experiment.kept_files import keep

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:1320px;margin:2rem auto;padding:0 1rem;color:#1b2330}
h1{margin-bottom:.2rem} h2{margin-top:2.4rem;border-bottom:1px solid #d5dbe3;padding-bottom:.2rem}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.8rem}
th{vertical-align:bottom} td{white-space:nowrap} td,th{padding:.3rem .38rem;text-align:right}
td:first-child,th:first-child{text-align:left} tr:nth-child(even){background:#f4f6f9} .scroll{overflow-x:auto}
.met{color:#1a7f37}.not{color:#b42318}.untested{color:#8a6d00} svg,img.map{width:100%;max-width:100%;height:auto}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(200px,1fr));gap:1rem;margin:1.4rem 0}
.tiles div{background:#f4f6f9;border-radius:8px;padding:.8rem 1rem}.tiles b{display:block;font-size:1.7rem;line-height:1.3}
.gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:.8rem;font-size:.78rem;line-height:1.3}
.gallery .note{font-size:1em}
.gallery img{width:100%;image-rendering:pixelated;border-radius:4px} .note{color:#5a6675;font-size:.9rem}
details{margin-top:2rem} pre{font-size:.8rem;overflow-x:auto;background:#f4f6f9;padding:1rem}
"""


def write_page(path: Path, name: str, parts: Sequence[str]) -> None:
    """Write ``parts``, which are HTML, as a page called ``name`` to ``path``, whole or not at all."""
    title = html.escape(f"skyedge: {name}")
    page = (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{_STYLE}</style>"
        f"<body>{''.join(parts)}</body></html>"
    )
    keep(path, page.encode())


def claim_item(verdict: str, name: str, notes: Sequence[str]) -> str:
    """One claim of a list: its verdict, its name and the lines below it."""
    css = {"met": "met", "not met": "not", "not tested": "untested"}
    lines = "".join(f"<br><span class=note>{html.escape(note)}</span>" for note in notes)
    return f"<li><b class={css[verdict]}>{verdict}</b>: {html.escape(name)}{lines}</li>"
