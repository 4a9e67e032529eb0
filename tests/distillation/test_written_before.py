"""A model and a cache of teacher outputs that tskd 0.1.0 wrote, before its files were laid out anew; see
`tests/helpers/written/write.py`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.series import single
from tests.helpers.written.write import series
from tskd import DistilledModel

WRITTEN = Path(__file__).parents[1] / "helpers" / "written"
PINNED = (Path(__file__).parents[2] / "constraints.txt").read_text().split()


@pytest.fixture
def model() -> DistilledModel:
    return DistilledModel.load(WRITTEN / "model")


def test_the_model_is_read(model: DistilledModel) -> None:
    target, _ = series()
    np.testing.assert_allclose(single(model.predict(6, target)).values(), np.load(WRITTEN / "forecast.npy"), rtol=1e-5)
    assert [repr(teacher) for teacher in model.teachers] == [
        "Teacher(NLinearModel, privileged=[FutureHorizon(name='lab')], name='network', cross_fit=CrossFit(folds=2), "
        "fitted)",
        "Teacher(LinearRegressionModel, privileged=[CostlySensors(name='lab')], name='linear', fitted)",
    ]
    assert repr(list(model.losses)) == "[OutputKD(), LevelShapeKD(weight=0.5)]"
    assert repr(model.weighting) == "CAMKD()"
    assert model.components == {"series": [["a", "b"]]}


def test_cached_outputs_are_used_and_none_computed(
    model: DistilledModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, lab = series()
    folder = shutil.copytree(WRITTEN / "cache", tmp_path / "cache")
    entries = sorted(path.name for path in folder.iterdir())

    def computed(*_: Any, **__: Any) -> None:
        pytest.fail("a teacher's outputs are computed")

    monkeypatch.setattr("tskd.teachers.network.model_outputs", computed)
    model.fit(target, privileged={"lab": lab}, cache=folder, verbose=False)
    found = sorted(path.name for path in folder.iterdir())
    # a regression model is known by its pickle, which another NumPy may write otherwise
    assert found == entries if f"numpy=={np.__version__}" in PINNED else set(found) > set(entries)
