"""Results: tables that survive on disk, and what is compared when folds, sizes and seeds are many or missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.helpers.experiments import toy_config, toy_data, toy_model
from tests.helpers.results import experiment_info, made_up_results, made_up_study, study_info, with_info
from tskd.experiment import Experiment
from tskd.experiment.results import tables
from tskd.experiment.results.arm_table import lines
from tskd.experiment.results.measurements import of_size
from tskd.experiment.results.results import Results
from tskd.experiment.results.study_results import StudyResults
from tskd.experiment.statistics.intervals import compare

ARMS = {"alone": 1.0, "future": 0.8, "tuned": 0.9, "placebo": 0.85, "iterated": 0.7}
FACTS: dict[str, Any] = {
    "name": "made up",
    "alone": "alone",
    "lookback": 3,
    "horizon": 2,
    "seeds": [0, 1, 2],
    "controls": {"tuned": "tuned", "placebo": "placebo", "iterated": "iterated"},
    "arms": [
        {
            **{"name": name, "privileged": name == "future", "teachers": [], "losses": [], "weighting": "Uniform"},
            **{"candidates": [], "placebo": False, "controls": ["tuned", "placebo", "iterated"]},
        }
        for name in ARMS
    ],
    "warnings": ["−3 % of a “name”"],
}
WINDOWS = 40


def errors_of(arm: str, fold: int, size: int | None, seed: int) -> np.ndarray:
    """Errors [W] that differ in all of these."""
    rng = np.random.default_rng([fold, seed])
    return ARMS[arm] * rng.gamma(2.0, size=WINDOWS) * (1.0 if size is None else 2.0)


def made(
    folds: int = 1, sizes: tuple[int | None, ...] = (None,), lost: tuple[tuple[str, int, int], ...] = ()
) -> Results:
    """`lost`: arm, fold and seed of failures, at every size."""
    rows, windows, steps, failures = [], [], [], []
    for fold in range(1, folds + 1):
        starts = pd.date_range("2024-01-01", periods=WINDOWS, freq="h") + pd.Timedelta(days=30 * fold)
        for size in sizes:
            for seed in FACTS["seeds"]:
                for arm in ARMS:
                    key = {"kind": "student", "name": arm, "fold": fold, "size": size, "seed": seed}
                    if (arm, fold, seed) in lost:
                        trace = 'Traceback:\n  File "a, b.py"\nValueError: “no”'
                        failures.append({**key, "candidate": 1, "error": "ValueError: “no”", "traceback": trace})
                        continue
                    mse = errors_of(arm, fold, size, seed)
                    rows.append(
                        {
                            **{column: "1.0" for column in tables.TABLES["rows"]},
                            **key,
                            **{"balance": "", "mse": mse.mean(), "mae": 0.1, "validation_mse": 1 / 3, "seconds": 0.5},
                            "windows": WINDOWS,
                        }
                    )
                    windows.append(pd.DataFrame({**key, "start": starts, "mse": mse, "mae": mse / 3}))
                    steps.append({**key, "step": 1, "mse": np.nan, "mae": 0.1})
    weight = {"arm": "future", "fold": 1, "size": sizes[0], "seed": 0, "epoch": 0, "by": "all", "at": 0}
    return Results(
        rows=tables.table("rows", rows),
        candidates=tables.table("candidates", []),
        windows=tables.table("windows", pd.concat(windows)),
        steps=tables.table("steps", steps),
        forecasts=tables.table(
            "forecasts", [{"line": "truth", "window": 0, "time": pd.Timestamp("2024-02-01"), "value": 0.1}]
        ),
        weights=tables.table(
            "weights",
            [{**weight, "teacher": "t", "weight": 1 / 3}, {**weight, "by": "masked", "teacher": "", "weight": 0}],
        ),
        failures=tables.table("failures", failures),
        info=experiment_info(**FACTS, folds=folds, sizes=list(sizes)),
    )


@pytest.mark.parametrize("sizes", [(None,), (100, None), (100, 200)])
def test_all_tables_survive_on_disk(sizes: tuple[int | None, ...], tmp_path: Path) -> None:
    results = made(2, sizes, lost=(("future", 1, 2),))
    results.save(tmp_path)
    read = Results.load(tmp_path)
    for name, columns in tables.TABLES.items():
        one, other = getattr(read, name), getattr(results, name).reset_index(drop=True)
        pd.testing.assert_frame_equal(one, other, check_exact=True, check_dtype=len(one) > 0)
        assert list(one.columns) == list(columns)
    assert read.facts == results.facts
    assert read.rows["size"].dtype == "Int64" and read.rows.balance.eq("").all()
    assert len(of_size(read.windows, sizes[0])) == len(read.windows) // len(sizes)


def test_results_from_before_anything_was_expected_are_read(tmp_path: Path) -> None:
    made(1, (None,)).save(tmp_path)
    (tmp_path / "expected.csv").unlink()
    assert list(Results.load(tmp_path).expected.columns) == list(tables.TABLES["expected"])
    (tmp_path / "rows.csv").unlink()
    with pytest.raises(FileNotFoundError):
        Results.load(tmp_path)


def test_windows_of_a_series_without_a_calendar_are_read_back_in_order(tmp_path: Path) -> None:
    """By their position: as texts, 10 would come before 9."""
    results = made()
    starts = dict(zip(results.windows.start.unique(), range(-5, WINDOWS), strict=False))
    results = replace(
        results,
        windows=results.windows.assign(start=results.windows.start.map(starts)),
        forecasts=results.forecasts.assign(time=2024),
    )
    results.save(tmp_path)
    read = Results.load(tmp_path)
    pd.testing.assert_frame_equal(read.windows, results.windows.reset_index(drop=True), check_exact=True)
    assert read.forecasts.time.tolist() == [2024]
    np.testing.assert_array_equal(read.errors("future"), results.errors("future"))


def test_a_study_survives_on_disk(tmp_path: Path) -> None:
    info = study_info(name="many", left_out={"c · 1": "too little"})
    study = StudyResults("many", {"a · 1": made(), "a / 1": made(sizes=(7,))}, info)
    study.save(tmp_path)
    read = StudyResults.load(tmp_path)
    assert read.name == "many" and read.facts == info.to_json() and list(read.cases) == ["a · 1", "a / 1"]
    assert [results.facts["sizes"] for results in read.cases.values()] == [[None], [7]]
    assert sorted(path.name for path in (tmp_path / "cases").iterdir()) == ["a-1", "a-1-2"]
    one = StudyResults("one", {"only": made()}, study_info())
    one.save(tmp_path / "one")
    assert Results.load(tmp_path / "one").facts == StudyResults.load(tmp_path / "one").cases["only"].facts


def test_cases_without_results_are_told_by_their_reason() -> None:
    reasons = {**{f"c{number}": "not begun." for number in range(5)}, "d": "failed."}
    study = StudyResults("many", {"a": made()}, study_info(left_out=reasons))
    assert study.left_out == [
        "‘c0’, ‘c1’, ‘c2’ and 2 more have no results: not begun.",
        "‘d’ has no results: failed.",
    ]


def test_tables_of_cases_that_are_no_more_are_removed_and_nothing_else(tmp_path: Path) -> None:
    def files() -> set[str]:
        found = {str(path.parent.relative_to(tmp_path)) for path in tmp_path.rglob("rows.csv")}
        assert found == {str(path.parent.relative_to(tmp_path)) for path in tmp_path.rglob("facts.json")}
        assert (tmp_path / "notes.csv").exists()
        return found

    (tmp_path / "notes.csv").touch()
    StudyResults("s", {"only": made()}, study_info()).save(tmp_path)
    assert files() == {"."}
    StudyResults("s", {"a": made(), "b": made(), "c": made()}, study_info()).save(tmp_path)
    assert files() == {"cases/a", "cases/b", "cases/c"}
    (tmp_path / "cases" / "c" / "mine.txt").touch()
    # one of two has no results any more
    StudyResults("s", {"a": made()}, study_info(left_out={"b": "too little"})).save(tmp_path)
    assert files() == {"cases/a"} and not (tmp_path / "cases" / "b").exists()
    assert [path.name for path in (tmp_path / "cases" / "c").iterdir()] == ["mine.txt"]
    StudyResults("s", {"only": made()}, study_info()).save(tmp_path)
    assert files() == {"."}


def test_a_teacher_is_no_kin_of_the_student() -> None:
    results = made()
    # an arm whose error grows, and a teacher of the very same errors
    windows = results.windows.copy()
    windows.loc[windows.name == "future", "mse"] *= np.tile(np.linspace(0.5, 1.5, WINDOWS), 3)
    windows, rows = (
        pd.concat([table, table[table.name == "future"].assign(kind="teacher", name="t")])
        for table in (windows, results.rows)
    )
    results = replace(results, rows=rows, windows=windows)
    found, student = results.compare("t", kind="teacher"), results.compare("future")
    expected = compare(results.errors("future"), results.errors("alone"), 5, same_model_class=False)
    assert (found.low, found.high) == (expected.low, expected.high)
    assert found.relative == student.relative and found.high > student.high


def test_errors_are_those_of_all_folds_in_order_of_time() -> None:
    results = made(2, (100, None))
    expected = [[*errors_of("future", 1, None, s), *errors_of("future", 2, None, s)] for s in range(3)]
    np.testing.assert_array_equal(results.errors("future"), expected)
    np.testing.assert_array_equal(results.errors("future", size=None), expected)
    np.testing.assert_array_equal(results.errors("future", size=100), 2 * np.array(expected))
    np.testing.assert_array_equal(results.errors("future", fold=2), np.array(expected)[:, WINDOWS:])
    np.testing.assert_allclose(results.errors("future", metric="mae"), np.array(expected) / 3, rtol=1e-12)
    # without a size of all windows, the largest number
    np.testing.assert_array_equal(made(1, (100, 20)).errors("alone")[0], errors_of("alone", 1, 100, 0))


def test_folds_are_compared_as_segments() -> None:
    results = made(2)
    one, other = results.errors("future"), results.errors("alone")
    expected = compare(one, other, 5, segments=[WINDOWS, WINDOWS], names=("future", "alone"))
    assert results.compare("future") == expected
    assert results.compare("future", fold=1) == compare(
        one[:, :WINDOWS], other[:, :WINDOWS], 5, names=("future", "alone")
    )


def test_seeds_that_either_lacks_in_some_fold_are_not_compared() -> None:
    results = made(2, lost=(("future", 1, 2), ("alone", 2, 0)))
    found = results.compare("future")
    assert found.seeds == 1 and found.windows == 2 * WINDOWS
    one, other = ([*errors_of(arm, 1, None, 1), *errors_of(arm, 2, None, 1)] for arm in ("future", "alone"))
    assert found.relative == pytest.approx(np.mean(one) / np.mean(other) - 1, rel=1e-12)
    assert results.lacking == {"alone": [0], "future": [2]}
    said = " ".join(results.verdict.sentences)
    assert "'future' lacks seed 2" in said and "'alone' lacks seed 0" in said and "left out: 2." in said
    assert np.isnan(results.errors("future")[2, :WINDOWS]).all() and not np.isnan(results.errors("future")[:2]).any()


def test_an_arm_without_a_seed_in_common_can_be_asked_for() -> None:
    results = made(lost=tuple(("future", 1, seed) for seed in range(3)))
    found = results.compare("future")
    assert found.windows == found.seeds == 0 and np.isnan(found.relative) and not found.enough
    assert results.lift("future").windows == 0
    assert results.verdict.outcome == "unknown"
    assert results.verdict.headline.endswith("privileged information: 'future' has no result to compare.")
    assert "'future' has no result to compare." in results.verdict.sentences


def test_the_lift_is_against_the_best_control_that_counts() -> None:
    """Iterated forecasts are no explanation of a gain; tuning and a placebo are."""
    results = made(2)
    assert results.lift("future") == replace(results.compare("future", "placebo"), lacking=("self-distilled",))
    assert results.lift("future").relative == pytest.approx(0.8 / 0.85 - 1)
    found = made(lost=tuple(("placebo", 1, seed) for seed in range(3))).lift("future")
    assert found.baseline == "tuned" and found.lacking == ("placebo", "self-distilled")
    bare = with_info(results, controls={})
    assert bare.lift("future").baseline == "alone"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "futur"}, "there is no student 'futur'; there are: 'alone', 'future'"),
        ({"name": "alone", "kind": "teacher"}, "there is no teacher 'alone'"),
        ({"name": "alone", "size": 50}, r"size=50 must be one of the training sizes \[100, None\]"),
        ({"name": "alone", "fold": 3}, "fold=3 must be from 1 to 2"),
    ],
)
def test_what_there_is_not_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made(2, (100, None)).errors(**arguments)


def test_a_size_of_which_nothing_is_finished_is_compared_with_nothing() -> None:
    """As while a run is at work on the smaller sizes."""
    results = made(2, (100, None))
    tables_ = {name: getattr(results, name) for name in ("rows", "windows", "steps")}
    early = replace(results, **{name: table[table["size"].notna()] for name, table in tables_.items()})
    found = early.compare("future")
    assert found.windows == found.seeds == 0 and np.isnan([found.relative, found.low, found.high]).all()
    assert np.isnan(early.lift("future").relative) and early.lift("future").baseline == "alone"
    assert early.errors("future").shape == (3, 0)
    assert early.compare("future", size=100) == results.compare("future", size=100)
    assert early.verdict.outcome == "unknown" and "no result to compare" in early.verdict.headline


def test_a_gain_without_its_controls_is_not_put_down_to_privilege() -> None:
    """The arm beats the student alone and the tuned one; the controls that would tell why have failed."""
    controls = {"tuned": "tuned", "placebo": "placebo", "iterated": "self-distilled"}
    whole = made(2)
    whole = with_info(whole, controls=controls)
    errors = {"alone": 1.0, "future": 0.5, "tuned": 1.0, "placebo": 0.9, "iterated": 0.9}
    windows = whole.windows.assign(
        mse=whole.windows.mse / whole.windows.name.map(ARMS) * whole.windows.name.map(errors)
    )
    whole = replace(whole, windows=windows)
    assert whole.verdict.outcome == "privilege" and whole.lift("future").lacking == ()
    # a placebo of other teachers does not tell either
    arms = [{**arm, "controls": ["tuned", "iterated"]} for arm in whole.facts["arms"]]
    other = with_info(whole, arms=arms)
    assert other.verdict.outcome == "gain" and "'placebo of its own'" in other.verdict.headline
    assert other.lift("future").lacking == ("placebo of its own",)
    one = replace(whole, windows=windows[windows.name != "placebo"])
    assert one.verdict.outcome == "gain" and "without the controls 'placebo' the cause" in one.verdict.headline
    assert one.lift("future").lacking == ("placebo",)
    none = replace(whole, windows=windows[~windows.name.isin(["placebo", "iterated"])])
    assert none.verdict.outcome == "gain" and "'placebo', 'iterated'" in none.verdict.sentences[0]


def test_a_folder_without_results_says_how_to_get_them(tmp_path: Path) -> None:
    for kind in (Results, StudyResults):
        with pytest.raises(FileNotFoundError, match="a run that was killed writes it by `tskd report`"):
            kind.load(tmp_path)
    made_up_study(2).save(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"it is a study: use StudyResults\.load, or one of the folders below"):
        Results.load(tmp_path)
    cases = StudyResults.load(tmp_path).cases.values()
    below = [Results.load(folder) for folder in (tmp_path / "cases").iterdir()]
    assert {results.info.case for results in below} == {results.info.case for results in cases}


@pytest.mark.filterwarnings("error:Mean of empty slice")
def test_a_teacher_whose_sensors_are_gone_in_the_test_part_is_told_so() -> None:
    data = toy_data()
    gone = data.privileged["sensor"].all_values().copy()
    gone[data.series.get_index_at_point(data.test_start) - 1 :] = np.nan
    privileged = {**data.privileged, "sensor": data.privileged["sensor"].with_values(gone)}
    sensor = {"model": toy_model(), "privileged": {"class": "CostlySensors", "kwargs": {"name": "sensor"}}}
    arms = [{"name": "alone"}, {"name": "taught", "teachers": "sensor"}]
    config = toy_config(data=replace(data, privileged=privileged), teachers={"sensor": sensor}, arms=arms, seeds=[3])
    results = Experiment(**config).run(progress=False)
    assert np.isnan(results.rows.set_index("name").mse["sensor"]) and results.rows.mse.notna().sum() == 2
    line = next(one for one in lines(results) if one.kind == "teacher")
    assert (line.mse, line.relative, line.interval, line.note) == ("", "", "", "no answer in the test part")
    assert "nan" not in str(results)


def test_the_error_of_a_teacher_gives_the_students_no_more_digits() -> None:
    results = made_up_results()
    rows = results.rows.copy()
    rows.loc[rows.kind == "teacher", ["mse", "mae"]] = 0.000012, 0.0034
    shown = {(line.kind, line.name): (line.mse, line.mae) for line in lines(replace(results, rows=rows))}
    alone = rows[(rows.kind == "student") & (rows.name == "alone")][["mse", "mae"]].mean()
    assert shown["student", "alone"] == (f"{alone.mse:.3f}", f"{alone.mae:.3f}")
    assert {texts for (kind, _), texts in shown.items() if kind == "teacher"} == {("0.000", "0.003")}
