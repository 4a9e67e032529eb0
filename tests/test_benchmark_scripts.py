"""What the scripts of benchmarks/ say of runs that are not finished."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from tests.helpers.experiments import toy_config, toy_model
from tests.helpers.results import made_up_results, with_info
from tskd.experiment import Experiment, Study
from tskd.experiment.config.grid import expand_grid
from tskd.experiment.config.yaml_file import read_yaml


@pytest.mark.parametrize("script", ["multivariate"], indirect=True)
def test_cells_of_studies_that_were_not_begun_are_planned(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One arm has two candidates, of which one is used: cells are counted, not rows."""
    config = toy_config(
        seeds=[3],
        teachers={"equal": {"model": toy_model()}},
        arms=[{"name": "taught", "teachers": "equal", "balance": [0.5, 1]}],
    )
    studies = {name: Study(name, {"96 · NLinear": Experiment(**config)}) for name in ("one", "two")}
    monkeypatch.setattr(script, "STUDIES", tuple(studies))
    monkeypatch.setattr(script, "Study", SimpleNamespace(from_yaml=lambda path: studies[path.stem]))
    studies["one"].run(script.place("one", tmp_path), progress=False)
    cases, rows, cells = script.finished(tmp_path)
    # the student alone, its teacher, and two candidates
    assert cells == {"planned": 8, "finished": 4, "failed": 0}
    assert list(cases) == ["toy · 96 · NLinear"] and len(rows) == 3


@pytest.mark.parametrize("script", ["multivariate"], indirect=True)
def test_all_horizons_of_etth1_and_of_exchange_are_run_first(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = {}
    for name in script.STUDIES:
        config = read_yaml(script.CONFIGS / f"{name}.yaml")
        labels[name] = list(expand_grid({}, config["grid"]))
    case = Experiment(**toy_config())
    studies = {name: Study(name, dict.fromkeys(of_study, case)) for name, of_study in labels.items()}
    monkeypatch.setattr(script.Study, "from_yaml", lambda path: studies[path.stem])
    run = [(name, label) for name, start in script.STAGES for label in script.some_cases(name, start).cases]
    assert set(run) == {(name, label) for name, of_study in labels.items() for label in of_study}
    places = list(dict.fromkeys((name, label.rpartition(" · ")[0]) for name, label in run))
    horizons = (96, 192, 336, 720)
    assert places[:8] == [
        *(("ett", f"etth1 · {horizon}") for horizon in horizons),
        *(("exchange", str(horizon)) for horizon in horizons),
    ]


@pytest.mark.parametrize("script", ["multivariate"], indirect=True)
def test_what_is_run_of_a_study_is_kept_where_its_results_are_read(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = {f"{seed} · NLinear": Experiment(**toy_config(seeds=[seed], teachers={}, arms=[])) for seed in (2, 3)}
    monkeypatch.setattr(script, "STUDIES", ("one",))
    monkeypatch.setattr(script.Study, "from_yaml", lambda path: Study("one", cases))
    script.compute("one", "3 ·", tmp_path)
    found, _, cells = script.finished(tmp_path)
    assert list(found) == ["toy · 3 · NLinear"] and cells == {"planned": 2, "finished": 1, "failed": 0}


@pytest.mark.parametrize("script", ["neighbours"], indirect=True)
def test_nothing_is_concluded_from_a_run_that_is_not_finished(script: ModuleType) -> None:
    effects = {"alone": 1.0, "distilled": 0.8, "self-distilled": 0.97, "placebo": 0.98}
    results = made_up_results(effects=effects, sizes=(script.PRIMARY,), seeds=2, windows=600)
    assert script.outcome(results).endswith("at 1,000 windows; the hypothesis holds.")
    for cells in ({"planned": 20, "finished": 19, "failed": 1}, {"planned": 20, "finished": 5, "failed": 0}):
        said = script.outcome(with_info(results, cells=cells))
        assert f"nothing is concluded: {cells['finished']} of 20 cells" in said and "hypothesis" not in said


@pytest.mark.parametrize("script", ["multivariate"], indirect=True)
def test_the_best_arm_is_the_one_that_validation_prefers(script: ModuleType) -> None:
    results = made_up_results(effects={"alone": 1.0, "distilled": 0.8, "placebo": 0.98}, seeds=2, windows=600)
    rows = results.rows.copy()
    rows["validation_mse"] = [0.1 if name == "placebo" else 0.5 for name in rows.name]
    rows.loc[rows.kind == "teacher", "validation_mse"] = 0.0
    results = replace(results, rows=rows)
    # by test error it would be the distilled one
    assert rows[rows.kind == "student"].groupby("name").mse.mean().idxmin() == "distilled"
    (row,) = script.alone({"toy · 96 · NLinear": results})
    assert row["best arm"].endswith("(NLinear, placebo)")
