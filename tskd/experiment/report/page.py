"""One HTML page of an experiment or a benchmark that needs nothing but itself: to read, to print, to send on."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup
from tqdm import tqdm

from tskd.experiment.config.grid import axis_names
from tskd.experiment.config.labels import ALL, labels_text
from tskd.experiment.controls.registry import DESCRIPTIONS
from tskd.experiment.report.exports import Export, exports
from tskd.experiment.report.figures import Drawing, figures, overview_figures
from tskd.experiment.report.figures.style import inline
from tskd.experiment.report.policy import content_security_policy
from tskd.experiment.report.significance import confidence, p_values
from tskd.experiment.results.arm_table import STATES, by_series, by_size, has_distribution, lines, number
from tskd.experiment.results.measurements import of_size
from tskd.experiment.results.overview import OUTCOMES, Overview, overview
from tskd.experiment.results.results import Results
from tskd.experiment.results.selection import finished, largest, on_a_par
from tskd.experiment.results.study_results import StudyResults
from tskd.experiment.results.tables import VERSIONS
from tskd.experiment.statistics.verdict import percent


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
        seen = overview(study.cases, study.left_out, {case.label: case.kept for case in shown})
        above = overview_figures(seen)
        drawings |= {d.name: d for d in above}
    environment = Environment(
        loader=FunctionLoader(_part), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["inline"] = lambda drawn: Markup(inline(drawn))
    style = _part("style.css")
    html = environment.get_template("page.html.j2").render(
        style=Markup(style),
        policy=content_security_policy(style),
        name=study.name if study else shown[0].info.name,
        info=study.info if study and many else shown[0].info,
        cases=shown,
        overview=seen,
        above=above,
        axes=axis_names(study.info.config) if study else "",
        taken=_overview_exports(seen, axis_names(study.info.config)) if study and seen else [],
        date=date.today().isoformat(),
        outcomes=OUTCOMES,
        slugs=names,
        states=STATES,
        controls={kind: text for kind, text in DESCRIPTIONS.items() if any(kind in case.controls for case in shown)},
    )
    return Page(html, drawings)


class PageCase:
    """What the page shows of one case."""

    def __init__(self, label: str, slug: str, results: Results, brief: bool) -> None:
        self.label, self.slug, self.results = label, slug, results
        self.info, self.verdict = results.info, results.verdict
        self.kept, self.no_set = confidence(results)
        self.lines = lines(results, self.kept, p_values(results))
        self.wide = has_distribution(self.lines)
        self.sizes, self.by_size = by_size(results)
        self.series, self.by_series = by_series(results)
        self.drawings = figures(results, self.slug, brief)
        self.controls = set(results.info.controls.values())
        arms, seeds = on_a_par(results)
        self.seeds = tuple(seeds)
        self.apart = [name for name in finished(results) if name not in arms]
        self.versions = {name: found for name in VERSIONS if (found := _values(results, name))}
        self.commits = _values(results, "commit")
        self.mixed = any(results.rows[name].nunique() > 1 for name in ("commit", *VERSIONS))
        self.block = results.info.block
        self.hidden = results.info.labels != labels_text(ALL)
        labels_missing = self.hidden or bool(self.info.data.windows.labelled_text)
        self.placebo_of_few = labels_missing and any(arm.placebo for arm in self.info.arms)

    @cached_property
    def taken(self) -> list[Export]:
        """The table of errors as files."""
        wide = ["CRPS", "Coverage", "Width"] if self.wide else []
        header = ["Arm", "MSE", "MAE", *wide, f"MSE against {self.info.alone}", "95 % interval", "p", "Balance"]
        rows = [
            [
                f"teacher {x.name}" if x.kind == "teacher" else x.name,
                *(x.mse or STATES[x.state], x.mae, *((x.crps, x.coverage, x.width) if wide else ())),
                *(x.relative, x.interval, x.p, x.balance),
            ]
            for x in self.lines
        ]
        return exports(f"errors-{self.slug}", header, rows)

    @cached_property
    def taken_by_size(self) -> list[Export]:
        """The table by training size as files."""
        header = [f"MSE against {self.info.alone}", *self.sizes]
        return exports(f"sizes-{self.slug}", header, [[name, *cells] for name, cells in self.by_size])

    @cached_property
    def taken_by_series(self) -> list[Export]:
        """The table by series as files."""
        header = [f"MSE against {self.info.alone}", *self.series]
        return exports(f"series-{self.slug}", header, [[name, *cells] for name, cells in self.by_series])

    @cached_property
    def failures(self) -> list[dict[Hashable, Any]]:
        """Every fit that failed."""
        return self.results.failures.astype(object).where(self.results.failures.notna(), None).to_dict("records")

    @cached_property
    def expected(self) -> list[tuple[str, str, str]]:
        """Arms with an automatic balance: the change of the error that it expected, and the realised one; means over
        seeds and folds."""
        table = of_size(self.results.expected, largest(self.results))
        means = table.groupby("name", sort=False)[["change", "low", "high"]].mean()
        came = {line.name: f"{line.relative} {line.interval}".strip() for line in self.lines if line.kind == "student"}
        return [
            (str(arm), f"{percent(change)} [{percent(low)}, {percent(high)}]", came.get(str(arm), ""))
            for arm, change, low, high in means.reset_index().itertuples(index=False)
        ]

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


def slugs(labels: Iterable[str]) -> dict[str, str]:
    """Labels of cases as names of folders and anchors, no two alike."""
    found: dict[str, str] = {}
    for label in labels:
        plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().lower()
        name = stem = re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "case"
        number = 2
        while name in found.values():
            name, number = f"{stem}-{number}", number + 1
        found[label] = name
    return found


def _overview_exports(seen: Overview, axes: str) -> list[Export]:
    """The table of all cases as files."""
    measures = [f"{arm} {measure}" for arm in seen.arms for measure in ("MSE", "MAE")]
    rows = [
        [row.label, *(text for one in row.entries for text in (one.mse, one.mae)), row.arm, row.lift, row.interval]
        for row in seen.rows
    ]
    header = [axes or "Case", *measures, "Net privileged lift of", "lift", "95 % interval"]
    width = len(header) if seen.lifts else len(header) - 3
    return exports("cases", header[:width], [row[:width] for row in rows])


def _values(results: Results, column: str) -> list[str]:
    """What the fits have in a column, but for those that have nothing there."""
    return sorted(set(results.rows[column]) - {""})


def _part(name: str) -> str:
    return resources.files("tskd.experiment.report").joinpath("templates", name).read_text(encoding="utf-8")
