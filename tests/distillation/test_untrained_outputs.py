"""No output of the student without a loss: what neither labels nor teachers would train is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from darts import TimeSeries
from darts.models import DLinearModel
from darts.utils.likelihood_models import GammaLikelihood, GaussianLikelihood, QuantileRegression

from tests.helpers.models import fast
from tests.helpers.series import walk
from tskd import DistilledModel, Teacher
from tskd.balance import AutoBalance, Balance, FixedBalance, ScheduledBalance
from tskd.distillation.expected import chosen_balance
from tskd.distillation.expected.chosen_balance import BalanceChoice
from tskd.losses import AutoregressiveKD, FeatureKD, LikelihoodKD, LossTerm, OutputKD, QuantileKD

SERIES = [walk(60, 2), walk(43, 2, seed=3)]
WIDE, NARROW = [0.1, 0.3, 0.5, 0.7, 0.9], [0.3, 0.5, 0.7]


def linear(horizon: int = 4, likelihood: Any = None, **kwargs: Any) -> Any:
    return DLinearModel(8, horizon, likelihood=likelihood, **fast(batch_size=16, **kwargs))


def quantiles(levels: list[float]) -> QuantileRegression:
    return QuantileRegression(levels)


def distilled(
    student: Any, teacher: Any, losses: list[LossTerm] | None = None, balance: float | Balance = 1.0
) -> DistilledModel:
    return DistilledModel(student, Teacher(teacher, name="archive"), losses, balance=balance)


REFUSED: dict[str, tuple[Any, Any, list[LossTerm] | None, float | Balance, str]] = {
    "outer quantiles": (quantiles(WIDE), quantiles(WIDE), None, 1.0, r"0\.1.*0\.9.*\[1, 2, 3, 4\].*QuantileKD"),
    "quantiles that the teacher lacks": (quantiles(WIDE), quantiles(NARROW), [QuantileKD()], 1.0, r"0\.1.*0\.9"),
    "spread of a Gaussian": (GaussianLikelihood(), GaussianLikelihood(), [OutputKD()], 1.0, r"sigma.*LikelihoodKD"),
    # its mean depends on both
    "both numbers of a Gamma": (GammaLikelihood(), None, None, 1.0, r"alpha.*beta.*LikelihoodKD"),
    "a schedule that rises to 1": (
        quantiles(WIDE),
        None,
        None,
        ScheduledBalance(1.0, warm_up=2),
        "leaves labels",
    ),
    "features alone": (None, None, [FeatureKD("linear_trend", "linear_trend")], 1.0, r"forecast of .*\[1, 2, 3, 4\]"),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_outputs_that_nothing_trains_are_refused_before_any_training(case: str) -> None:
    own, theirs, losses, balance, message = REFUSED[case]
    student, teacher = linear(likelihood=own, n_epochs=3), linear(likelihood=theirs, random_state=1)
    model = distilled(student, teacher, losses, balance)
    with pytest.raises(ValueError, match=rf"(?s)nothing would train the student's .*{message}.*balance below 1"):
        model.fit(SERIES)
    assert student.model is None
    assert teacher.model is None


def test_steps_that_no_teacher_forecasts_are_refused_without_labels() -> None:
    with pytest.raises(ValueError, match=r"forecast of \['y0', 'y1'\] at steps \[4, 5\].*'archive'"):
        distilled(linear(5), linear(3)).fit(SERIES)


def without_labels(series: TimeSeries, component: int) -> TimeSeries:
    values = series.values(copy=True)
    values[8:, component] = np.nan
    return series.with_values(values)


def test_a_component_without_labels_needs_a_loss_for_its_spread_at_any_balance() -> None:
    series = without_labels(walk(50, 2, seed=6), 1)
    known = walk(50, 2, seed=8)
    levels = quantiles(NARROW)

    def teacher(likelihood: Any) -> Any:
        return linear(likelihood=likelihood, random_state=1).fit(known)

    cases: list[tuple[Any, list[LossTerm] | None]] = [(levels, None), (levels, [QuantileKD("mse")]), (None, None)]
    for own, loss in cases:
        model = distilled(linear(likelihood=own), teacher(levels), loss, balance=0.5)
        if own is None or loss:
            model.fit(series)
            continue
        with pytest.raises(ValueError, match=r"outputs .*0\.3.*0\.7.* of \['y1'\].*no label of them"):
            model.fit(series)


ACCEPTED: dict[str, tuple[Any, Any, list[LossTerm] | None, float | Balance]] = {
    "all quantiles compared": (quantiles(NARROW), quantiles(WIDE), [QuantileKD()], 1.0),
    "outer ones by one loss, the median by another": (
        quantiles(NARROW),
        quantiles(NARROW),
        [OutputKD(), QuantileKD("mse")],
        1.0,
    ),
    "distributions compared": (GaussianLikelihood(), GaussianLikelihood(), [LikelihoodKD()], 1.0),
    "labels have a share": (quantiles(WIDE), None, None, 0.99),
    "points": (None, quantiles(WIDE), None, 1.0),
    "points, rolled": (None, None, [AutoregressiveKD(2)], FixedBalance(1.0)),
    "a schedule that stays below 1": (GaussianLikelihood(), None, None, ScheduledBalance(0.9, warm_up=1)),
    "teachers have no part": (GaussianLikelihood(), None, None, ScheduledBalance(1.0, warm_up=2)),
}


@pytest.mark.parametrize("case", list(ACCEPTED))
def test_a_student_all_of_whose_outputs_have_a_loss_is_trained(case: str) -> None:
    own, theirs, losses, balance = ACCEPTED[case]
    teacher = linear(6 if case == "points, rolled" else 4, theirs, random_state=1)
    distilled(linear(likelihood=own), teacher, losses, balance).fit(SERIES)


@pytest.mark.parametrize(
    ("own", "losses", "alpha"),
    [
        (quantiles(WIDE), None, 0.9),
        (GaussianLikelihood(), [OutputKD("mae")], 0.9),
        (quantiles(WIDE), [QuantileKD()], 1.0),
        (None, None, 1.0),
    ],
    ids=["outer quantiles", "spread", "all quantiles", "points"],
)
def test_an_automatic_balance_leaves_labels_a_share_where_they_alone_train_an_output(
    monkeypatch: pytest.MonkeyPatch, own: Any, losses: list[LossTerm] | None, alpha: float
) -> None:
    certain = BalanceChoice(1.0, {"archive": 1.0}, reason="held-out labels say so")
    monkeypatch.setattr(chosen_balance, "choice_of", lambda *_: certain)
    model = distilled(linear(likelihood=own), linear(likelihood=own, random_state=1), losses, AutoBalance())
    found = model.fit(SERIES).chosen_balance
    assert found is not None
    assert found.alpha == alpha
    assert ("labels alone train" in found.reason) == (alpha < 1)
