"""Few labels and many rows without, against closed forms: see `tests/helpers/scarce.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pytest

from tests.helpers.scarce import BOTH, FORMULAS, LABELS, ONE_FIT, PRIVILEGED, Setting, least_squares, two_stages
from tests.helpers.scarce_students import coefficients, distil, distilled, fitted, teacher
from tests.helpers.series import single

SETTINGS = [Setting(20, 60, 3, 3, 0.7, 0.25), Setting(40, 100, 5, 8, 0.5, 0.5)]


def check(setting: Setting, draws: Iterable[Mapping[str, np.ndarray]]) -> None:
    """Every mean of the excess risk is within three standard errors of its formula."""
    risks = np.array([[setting.world.excess_risk(draw[kind]) for kind in FORMULAS] for draw in draws])
    mean, error = risks.mean(0), risks.std(0, ddof=1) / np.sqrt(len(risks))
    for kind, found, spread in zip(FORMULAS, mean, error, strict=True):
        assert found == pytest.approx(FORMULAS[kind](setting), rel=0, abs=3 * spread), kind


@pytest.mark.parametrize(
    ("setting", "labels", "privileged", "both"),
    [
        (Setting(20, 200, 1, 1, 0.5, 1), 0.0972, 0.0179, 0.0629),
        (Setting(20, 200, 3, 1, 0.5, 0.25), 0.1875, 0.0151, 0.0617),
        (Setting(20, 60, 3, 3, 0.7, 0.25), 0.1425, 0.0516, 0.0881),
        (Setting(30, 300, 5, 2, 0.5, 0.1), 0.1771, 0.0147, 0.0356),
        (Setting(15, 400, 4, 2, 0.3, 1), 0.7640, 0.0258, 0.5117),
        (Setting(40, 100, 5, 8, 0.5, 0.5), 0.1976, 0.0708, 0.1492),
    ],
    ids=str,
)
def test_formulas_by_hand(setting: Setting, labels: float, privileged: float, both: float) -> None:
    found = [FORMULAS[kind](setting) for kind in (LABELS, PRIVILEGED, BOTH)]
    assert found == pytest.approx([labels, privileged, both], abs=5.1e-5)


def test_limits_of_the_formulas() -> None:
    """Without other rows a nested teacher adds nothing; with endless ones its own rows do not count."""
    few, many = Setting(20, 0, 3, 2, 0.6, 0.5), Setting(20, 10**9, 3, 2, 0.6, 0.5)
    assert FORMULAS[ONE_FIT](few) == pytest.approx(FORMULAS[LABELS](few))
    assert FORMULAS[ONE_FIT](many) == pytest.approx(FORMULAS[BOTH](many))


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_formulas_are_what_least_squares_risks(setting: Setting) -> None:
    rng = np.random.default_rng(4)
    check(setting, (two_stages(setting.draw(rng)) for _ in range(3000)))


@pytest.mark.slow
@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_formulas_are_what_distilled_models_risk(setting: Setting) -> None:
    """As far as 50 repetitions can tell; `benchmarks/scarce_theory.py` has more."""
    rng = np.random.default_rng(5)
    check(setting, (distilled(setting.draw(rng)) for _ in range(50)))


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_distilled_models_are_least_squares_in_two_stages(setting: Setting) -> None:
    draw = setting.draw(np.random.default_rng(6))
    found, expected = distilled(draw), two_stages(draw)
    assert found.keys() == expected.keys() == FORMULAS.keys()
    for kind, mine in found.items():
        np.testing.assert_allclose(mine, expected[kind], rtol=0, atol=1e-6, err_msg=kind)
        assert all(np.abs(mine - other).max() > 1e-3 for name, other in expected.items() if name != kind)


def test_a_teacher_on_privileged_values_alone_may_be_fitted_within_the_students_fit() -> None:
    draw = SETTINGS[0].draw(np.random.default_rng(7))
    model = distil(draw.rows, teacher(sees_inputs=False))
    assert model.windows is not None
    answers = draw.rows.z @ least_squares(draw.labelled.z, draw.labelled.y)
    expected = least_squares(draw.rows.x, answers)
    np.testing.assert_allclose(coefficients(model), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("together", [False, True])
def test_linear_self_training_is_labels_alone(together: bool, intercept: bool) -> None:
    """A linear map of x is its own regression on x, on whatever rows; as one fit, or as two."""
    draw = SETTINGS[1].draw(np.random.default_rng(8))
    self_teacher = teacher(sees_inputs=True, privileged=False, intercept=intercept)
    if together:
        taught = distil(draw.rows, self_teacher, intercept=intercept)
    else:
        taught = distil(draw.others, fitted(self_teacher, draw.labelled), intercept=intercept)

    alone = distil(draw.labelled, intercept=intercept)

    series, x = draw.rows.series, draw.rows.past_covariates
    origins = series.time_index[:-1:10]
    forecasts = [
        [single(model.predict(1, past_covariates=x, start=origin + series.freq)).values().item() for origin in origins]
        for model in (taught, alone)
    ]
    np.testing.assert_allclose(forecasts[0], forecasts[1], rtol=0, atol=1e-6)
    np.testing.assert_allclose(coefficients(taught), coefficients(alone), rtol=0, atol=1e-6)
    assert np.ptp(forecasts[0]) > 1
