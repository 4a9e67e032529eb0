"""The audit finds leaks that are planted, and nothing where there are none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from darts import TimeSeries
from darts.models import DLinearModel, TiDEModel

from tests.helpers.models import fast
from tests.helpers.series import walk
from tskd import DistilledModel, Teacher, audit
from tskd.distillation.leak_audit import Audit
from tskd.privileged import CostlySensors, FutureHorizon, Source

SETTINGS = fast(input_chunk_length=8, output_chunk_length=4)
SERIES = walk(90)
OPEN = walk(130, seed=1, start="2019-12-31 14:00", name="open")
LAB = walk(130, seed=2, start="2019-12-31 14:00", name="lab")


def distilled(past: TimeSeries, source: Source, privileged: TimeSeries, until: int = 60) -> DistilledModel:
    teacher = Teacher(TiDEModel(**SETTINGS), source, name="teacher")
    model = DistilledModel(DLinearModel(**SETTINGS), teacher)
    return model.fit(SERIES[:until], past_covariates=past, privileged={"lab": privileged})


def failed(result: Audit) -> list[str]:
    return [f"{finding.tried}: {finding.detail}" for finding in result.findings if finding.passed is False]


def run(model: DistilledModel, past: TimeSeries, privileged: TimeSeries, test_start: int = 60) -> Audit:
    return audit(
        model,
        SERIES,
        past,
        privileged={"lab": privileged},
        test_start=SERIES.time_index[test_start],
        verbose=False,
    )


def test_nothing_is_found_in_a_clean_model_and_data_are_unchanged(capsys: pytest.CaptureFixture[str]) -> None:
    model = distilled(OPEN, CostlySensors("lab"), LAB)
    kept = [series.values().copy() for series in (SERIES, OPEN, LAB)]
    weights = {name: value.clone() for name, value in model.student.model.state_dict().items()}
    result = audit(model, SERIES, OPEN, privileged={"lab": LAB}, test_start=SERIES.time_index[60])
    assert result.passed and not failed(result)
    printed = capsys.readouterr().out
    assert len(result.findings) == 8
    assert all(finding.tried in printed for finding in result.findings)
    assert printed.rstrip().endswith("no leak found")
    for before, series in zip(kept, (SERIES, OPEN, LAB), strict=True):
        np.testing.assert_array_equal(before, series.values())
    assert all((value == weights[name]).all() for name, value in model.student.model.state_dict().items())


@pytest.mark.parametrize("copy", ["value", "affine", "shifted"])
def test_a_sensor_among_the_inputs_is_found(copy: str) -> None:
    past = {"value": LAB, "affine": LAB * -2 + 5, "shifted": LAB.shift(2)}[copy].with_columns_renamed("lab0", "open")
    found = failed(run(distilled(past, CostlySensors("lab"), LAB), past, LAB))
    assert "past_covariates 'open' is privileged['lab'] 'lab0'" in found[0]


@pytest.mark.parametrize(("lead", "leaks"), [(0, False), (-1, False), (1, True)])
def test_the_past_of_a_series_whose_future_is_privileged_may_be_observed(lead: int, leaks: bool) -> None:
    past = LAB.shift(-lead).with_columns_renamed("lab0", "open")
    result = run(distilled(past, FutureHorizon("lab"), LAB), past, LAB)
    assert any("open" in text for text in failed(result)) == leaks


def test_memory_shared_with_a_privileged_series_is_found() -> None:
    model = distilled(OPEN, CostlySensors("lab"), LAB)
    values = LAB.values().copy()
    shared = TimeSeries(LAB.time_index, values, components=["open0"], copy=False)
    privileged = TimeSeries(LAB.time_index, values, components=["lab0"], copy=False)
    found = failed(run(model, shared, privileged))
    assert any("changed in place: it moved" in text for text in found)


def test_training_that_overlaps_the_test_part_is_found() -> None:
    model = distilled(OPEN, CostlySensors("lab"), LAB)
    found = failed(run(model, OPEN, LAB, test_start=59))
    assert len(found) == 2
    assert all(str(pd.Timestamp(SERIES.time_index[59])) in text for text in found)


def test_a_source_that_reads_past_the_cutoff_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    model = distilled(OPEN, CostlySensors("lab"), LAB)
    honest = CostlySensors.blocks
    monkeypatch.setattr(
        CostlySensors,
        "blocks",
        lambda self, privileged, series, horizon: honest(self, privileged.shift(-5), series, horizon),
    )
    assert any("its forecasts moved" in text for text in failed(run(model, OPEN, LAB)))


def test_a_privileged_name_in_the_saved_student_is_found() -> None:
    model = distilled(OPEN, CostlySensors("lab"), LAB)
    model.student.note = "lab0"
    assert any("found ['lab0']" in text for text in failed(run(model, OPEN, LAB)))


def test_an_unfitted_model_is_refused() -> None:
    with pytest.raises(ValueError, match=r"call fit\(\) first"):
        audit(DistilledModel(DLinearModel(**SETTINGS)), SERIES, privileged={})
