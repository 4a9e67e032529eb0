"""One HTML page of an experiment or a benchmark that needs nothing but itself: to read, to print, to send on."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup
from tqdm import tqdm

from tskd.experiment.report.figures import Drawing, figures, overview_figures
from tskd.experiment.report.figures.style import inline
from tskd.experiment.report.lines import STATES, by_size, lines, number
from tskd.experiment.report.overview import OUTCOMES, Overview, overview, slugs
from tskd.experiment.report.selection import finished, largest, on_a_par
from tskd.experiment.report.significance import confidence, p_values
from tskd.experiment.results.results import Results, of_size
from tskd.experiment.results.study_results import StudyResults
from tskd.experiment.results.tables import VERSIONS
from tskd.experiment.statistics.verdict import ORDINARY

CONTROLS = {
    "tuned": "labels only, the student's own settings tuned on validation",
    "self-distilled": "distilled from a teacher that sees what the student sees",
    "placebo": "the same teachers, but the rows that their privileged sources read are shuffled among rows of the same "
    "time of the day or year",
    "iterated": "labels only, fewer steps at a time, rolled forward on its own forecasts",
    "multi-horizon": "labels only, every step up to the last one learnt, where only some are scored",
    "pooled": "labels only, of the archive and the target together",
    "pre-trained": "labels only, of the archive first and then of the target",
    ORDINARY: "distilled from teachers that see more than the student and nothing privileged; no control, it counts in "
    "no lift",
}
"""What an arm that is a control, or is taken for one, has and lacks."""


@dataclass(frozen=True)
class Page:
    """The HTML, and its figures by path below the folder of figures, without the ending."""

    html: str
    drawings: Mapping[str, Drawing]


def write_page(results: Results | StudyResults, directory: str | Path) -> Path:
    """Write `report.html`, and its figures as SVG and PNG into `figures/`; returns the path of the page."""
    folder = Path(directory)
    page = render(results)
    for name, drawn in page.drawings.items():
        path = folder / "figures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".svg").write_text(drawn.svg, encoding="utf-8")
        path.with_suffix(".png").write_bytes(drawn.png)
    path = folder / "report.html"
    path.write_text(page.html, encoding="utf-8")
    return path


def render(results: Results | StudyResults) -> Page:
    """The page of one experiment; of several cases, an overview before them."""
    study = results if isinstance(results, StudyResults) else None
    cases = study.cases if study else {"": cast(Results, results)}
    many = study is not None and len(cases) > 1
    bar = tqdm(cases.items(), desc="report", unit="case", disable=None if many else True, leave=False)
    names = slugs(cases)
    shown = [PageCase(label, names[label], one, many) for label, one in bar]
    drawings = {f"{case.slug}/{d.name}" if many else d.name: d for case in shown for d in case.drawings}
    seen: Overview | None = None
    above: list[Drawing] = []
    if study and many:
        seen = overview(study, {case.label: case.kept for case in shown})
        above = overview_figures(seen)
        drawings |= {d.name: d for d in above}
    environment = Environment(
        loader=FunctionLoader(_part), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["inline"] = lambda drawn: Markup(inline(drawn))
    html = environment.get_template("page.html.j2").render(
        name=study.name if study else shown[0].facts["name"],
        facts=study.facts if study and many else shown[0].facts,
        cases=shown,
        overview=seen,
        above=above,
        outcomes=OUTCOMES,
        slugs=names,
        states=STATES,
        controls={key: said for key, said in CONTROLS.items() if any(key in c.controls for c in shown)},
    )
    return Page(html, drawings)


class PageCase:
    """What the page shows of one case."""

    def __init__(self, label: str, slug: str, results: Results, brief: bool) -> None:
        self.label, self.slug, self.results = label, slug, results
        self.facts, self.verdict = results.facts, results.verdict
        self.kept, self.no_set = confidence(results)
        self.lines = lines(results, self.kept, p_values(results))
        self.sizes, self.by_size = by_size(results)
        self.drawings = figures(results, self.slug, brief)
        self.controls = set(self.facts["controls"].values())
        arms, self.seeds = on_a_par(results)
        self.apart = [name for name in finished(results) if name not in arms]
        self.versions = {name: found for name in VERSIONS if (found := _values(results, name))}
        self.commits = _values(results, "commit")
        self.mixed = any(results.rows[name].nunique() > 1 for name in ("commit", *VERSIONS))
        self.block = results.facts["lookback"] + results.facts["horizon"]

    @cached_property
    def failures(self) -> list[dict[Hashable, Any]]:
        """Every fit that failed."""
        return self.results.failures.astype(object).where(self.results.failures.notna(), None).to_dict("records")

    @cached_property
    def candidates(self) -> dict[str, list[tuple[str, str, bool]]]:
        """By arm: each candidate, its validation error (mean over seeds and folds), and whether it was used."""
        rows = of_size(self.results.rows, largest(self.results))
        used = rows[rows.kind == "student"].groupby("name").balance.agg(set)
        table = of_size(self.results.candidates, largest(self.results))
        means = table.groupby(["arm", "balance"], sort=False).validation_mse.mean()
        found: dict[str, list[tuple[str, str, bool]]] = {}
        for arm, balance, error in means.reset_index().itertuples(index=False):
            if arm in finished(self.results):
                found.setdefault(arm, []).append((balance, number(error, means.min(), 4), balance in used[arm]))
        return found


def _values(results: Results, column: str) -> list[str]:
    """What the fits have in a column, but for those that have nothing there."""
    return sorted(set(results.rows[column]) - {""})


def _part(name: str) -> str:
    return resources.files("tskd.experiment.report").joinpath("templates", name).read_text(encoding="utf-8")
