"""The report of a study: the table, the claims with the constants that decide them, a chart for each series.

Figures are of all seeds; series and listings are of the first.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from skyedge.experiment.figures import COLOURS, svg
from skyedge.experiment.loading import as_yaml
from skyedge.experiment.page import claim_item, write_page
from skyedge.experiment.study import Study
from skyedge.experiment.study_flips import Flip
from skyedge.experiment.study_outcome import StudyOutcome, cell, heading_of, ratio_of
from skyedge.experiment.study_subject import Findings, Series
from skyedge.wording import counted


def write_study_report(path: Path, study: Study, outcome: StudyOutcome, first: Mapping[str, Findings]) -> None:
    """Write the report to ``path``, whole or not at all; ``first`` is what each arm found with the first seed."""
    seeds = len(outcome.seeds)
    parts = [
        f"<h1>{html.escape(outcome.experiment)}</h1><p>{html.escape(study.metadata.description)}</p>",
        f"<p class=note>study {html.escape(study.study)}; {counted(seeds, 'seed(s)')}; spec {outcome.digest}"
        f"{'; stopped before the end' if outcome.stopped else ''}</p>",
        "<h2>Claims</h2>" + _claims(outcome),
        _constants(outcome),
        "<h2>Arms</h2>" + _arms(study) + "<div class=scroll>" + _table(outcome) + "</div>",
        "<p class=note>Mean and half the width of a 95 % interval from a bootstrap over seeds; in brackets, how much of the "
        f"figure of {html.escape(outcome.baseline)} it is.</p>",
        "<h2>Differences</h2><div class=scroll>" + _tests(outcome) + "</div>",
        f"<p class=note>Against {html.escape(outcome.baseline)}, in pairs of the same seed; exact permutation test, "
        "corrected over the whole table after Holm: the more figures there are, the more seeds it needs.</p>",
        _charts(first),
        _listings(first),
        f"<details><summary>The whole study</summary><pre>{html.escape(as_yaml(study))}</pre></details>",
    ]
    write_page(path, outcome.experiment, parts)


def _claims(outcome: StudyOutcome) -> str:
    items = []
    for claim in outcome.claims:
        notes = [claim.sentence(), *(flip.words() for flip in claim.flips)]
        items.append(
            claim_item(
                claim.verdict,
                f"{claim.name} ({claim.evidence})",
                [*notes, *([f"claimed by: {claim.source}"] if claim.source else [])],
            )
        )
    return f"<ul>{''.join(items)}</ul>" if items else "<p>This study makes no claim.</p>"


def _constants(outcome: StudyOutcome) -> str:
    """Every constant of a modelled claim, with who says so and where the verdict turns."""
    flips = [(claim, flip) for claim in outcome.claims for flip in claim.flips]
    if not flips:
        return ""
    rows = [[claim.name, flip.key.removeprefix("parameters."), *_constant_cells(flip), flip.source] for claim, flip in flips]
    note = (
        "<p class=note>A claim that is modelled came out of these constants. Each is changed alone, over the range given; "
        "the last value but one is where the verdict turns.</p>"
    )
    headings = ["claim", "constant", "in the file", "range", "verdict turns", "source"]
    return f"<h2>Constants</h2>{note}<div class=scroll>{_html_table(headings, rows)}</div>"


def _constant_cells(flip: Flip) -> list[str]:
    turns = [f"{turn.verdict} at {turn.value:.4g} and {turn.side}" for turn in flip.turns]
    return [f"{flip.in_file:g} {flip.unit}", f"{flip.low:g} to {flip.high:g} {flip.unit}", "; ".join(turns) or "nowhere"]


def _arms(study: Study) -> str:
    described = {name: arm.description for name, arm in study.arms.items() if arm.description}
    items = (f"<li><b>{html.escape(name)}</b>: {html.escape(text)}</li>" for name, text in described.items())
    return f"<ul>{''.join(items)}</ul>" if described else ""


def _table(outcome: StudyOutcome) -> str:
    headings = ["arm"] + [f"{heading_of(metric)} ({metric.better} is better)" for metric in outcome.metrics.values()]
    rows = [
        [arm, *(cell(table.get(name), metric, ratio_of(outcome, arm, name)) for name, metric in outcome.metrics.items())]
        for arm, table in outcome.arms.items()
    ]
    return _html_table(headings, rows)


def _tests(outcome: StudyOutcome) -> str:
    rows = []
    for arm, tests in outcome.tests.items():
        for name, test in tests.items():
            metric = outcome.metrics[name]
            difference = cell(outcome.arms[arm].get(f"{name}_difference"), metric)
            p = "–" if test.p_holm is None else f"{test.p_holm:.3f}"
            rows.append([arm, heading_of(metric), difference, p, test.verdict])
    return _html_table(["arm", "figure", "difference", "p", "verdict"], rows) if rows else "<p>There is none to tell.</p>"


def _charts(first: Mapping[str, Findings]) -> str:
    """One chart for each series name, the arms as lines."""
    names = dict.fromkeys(name for findings in first.values() for name in findings.series)
    parts = []
    for name in names:
        lines = {arm: findings.series[name] for arm, findings in first.items() if name in findings.series}
        parts.append(f"<h2>{html.escape(name)}</h2>{_lines(lines, list(first))}")
    return "".join(parts)


def _lines(lines: Mapping[str, Series], arms: Sequence[str]) -> str:
    def draw(axes: Axes) -> None:
        for arm, series in lines.items():
            colour = COLOURS[arms.index(arm) % len(COLOURS)]
            style = "steps-post" if series.steps else "default"
            axes.plot(np.asarray(series.x, float), np.asarray(series.y, float), color=colour, label=arm, drawstyle=style)
        one = next(iter(lines.values()))
        axes.set(xlabel=one.x_label, ylabel=one.y_label)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small", frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))

    return svg(draw, 11.0, 3.6)


def _listings(first: Mapping[str, Findings]) -> str:
    """Tables that the subject made; one that is the same in every arm stands once."""
    arms_of: dict[tuple[str, str], list[str]] = {}
    for arm, findings in first.items():
        for name, listing in findings.listings.items():
            rows = [[f"{value:.4g}" if isinstance(value, float) else str(value) for value in row] for row in listing.rows]
            arms_of.setdefault((name, _html_table(list(listing.headings), rows)), []).append(arm)
    parts = []
    for (name, table), arms in arms_of.items():
        of = "" if len(arms) == len(first) else f": {', '.join(arms)}"
        parts.append(f"<h2>{html.escape(name + of)}</h2><div class=scroll>{table}</div>")
    return "".join(parts)


def _html_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(heading)}</th>" for heading in headings)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(value)}</td>' for value in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"
