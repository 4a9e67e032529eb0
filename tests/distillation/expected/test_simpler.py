"""What is simpler than distilling: the neighbour that explains most, however labels are spread."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from darts.models import NLinearModel

from tests.helpers.models import fast
from tests.helpers.series import walk
from tskd import DistilledModel, Reconstruction, expected_gain

N = 400
RNG = np.random.default_rng(3)
SIGNAL = RNG.normal(size=N).cumsum()
NEAR, FAR = SIGNAL + 0.3 * RNG.normal(size=N), RNG.normal(size=N).cumsum()
SENSOR = walk(N, dtype="float64").with_values(SIGNAL[:, None])


@pytest.mark.parametrize(
    "labelled",
    [
        pytest.param(lambda step: step % 12 == 5, id="one in twelve"),
        pytest.param(lambda step: (step % 7 == 0) | (step % 11 == 3), id="at unequal distances"),
        pytest.param(lambda step: step >= 250, id="the last ones"),
        pytest.param(lambda step: step >= 0, id="all"),
    ],
)
def test_a_neighbour_is_judged_by_changes_from_one_label_to_the_next(
    labelled: Callable[[np.ndarray], np.ndarray],
) -> None:
    known = labelled(np.arange(N))
    target = SENSOR.with_values(np.where(known, SIGNAL + 0.1 * RNG.normal(size=N), np.nan)[:, None])
    beside = walk(N, 2, name="z", dtype="float64").with_values(np.stack([FAR, NEAR], axis=1))
    model = DistilledModel(NLinearModel(2, 1, **fast()), Reconstruction("z"), soft_sensor=True)
    found = expected_gain(model, target, past_covariates=SENSOR, privileged={"z": beside})
    own = np.diff(target.values()[known, 0])
    squares = [np.corrcoef(own, np.diff(other[known]))[0, 1] ** 2 for other in (FAR, NEAR)]
    assert squares[1] > squares[0]
    assert found.neighbour == pytest.approx(squares[1])
