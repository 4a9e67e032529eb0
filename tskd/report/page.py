"""One HTML page of an experiment that needs nothing but itself: to read, to print, to send on."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, StrictUndefined

from tskd.report.figures import figures, shown_arm, shown_teacher
from tskd.report.table import lines, number

if TYPE_CHECKING:
    from tskd.experiment.results import Results


def write_page(results: Results, directory: str | Path) -> Path:
    """Write `report.html`, and its figures once more as files, into `directory`; returns the path of the page."""
    folder = Path(directory)
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    drawn = figures(results)
    for name, svg in drawn.items():
        (folder / "figures" / f"{name}.svg").write_text(svg, encoding="utf-8")
    page = folder / "report.html"
    page.write_text(render(results, drawn), encoding="utf-8")
    return page


def render(results: Results, drawn: dict[str, str]) -> str:
    """The page with the figures `drawn` (SVG by name)."""
    template = resources.files("tskd.report").joinpath("page.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(
        facts=results.facts,
        verdict=results.verdict,
        lines=lines(results),
        figures=drawn,
        shown_arm=shown_arm(results),
        shown_teacher=shown_teacher(results),
        candidates=_candidates(results),
        block=results.facts["lookback"] + results.facts["horizon"],
    )


def _candidates(results: Results) -> dict[str, list[tuple[str, str, bool]]]:
    """By arm: each candidate for the balance, its validation error (mean over the seeds), and whether it was used."""
    used = results.rows[results.rows.kind == "student"].groupby("name").balance.first()
    means = results.candidates.groupby(["arm", "balance"], sort=False).validation_mse.mean()
    table: dict[str, list[tuple[str, str, bool]]] = {}
    for arm, balance, error in means.reset_index().itertuples(index=False):
        table.setdefault(arm, []).append((balance, number(error, means.min(), 4), balance == used[arm]))
    return table
