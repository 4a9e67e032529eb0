"""Squared errors to several teachers at the cost of one, with the gradient and the value of all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from darts import TimeSeries
from darts.models import NLinearModel

from tests.helpers.models import fast
from tests.helpers.series import walk
from tskd import DistilledModel, Teacher
from tskd._core.aspects import Aspect
from tskd.distillation.batches import DistillationData
from tskd.distillation.blend import PART, Blend
from tskd.distillation.squared_errors import weighted_squares
from tskd.losses import LevelShapeKD, LossTerm, OutlierRejection, OutputKD
from tskd.teachers.outputs import TeacherOutputs
from tskd.weighting import CAMKD, Fixed, Step, Uniform, Weighting

LOOKBACK, HORIZON = 6, 4


@pytest.mark.parametrize("shape", [(2, 5), (2, 5, 3, 1), (2, 5, 3, 4)])
def test_weighted_squares_by_the_formula(shape: tuple[int, ...]) -> None:
    draw = torch.Generator().manual_seed(0)
    student = torch.randn(5, 3, 4, generator=draw, dtype=torch.float64, requires_grad=True)
    teachers = torch.randn(2, 5, 3, 4, generator=draw, dtype=torch.float64)
    weights = torch.rand(shape, generator=draw, dtype=torch.float64)
    # no teacher in the second window
    weights[:, 1] = 0
    by_cell = weights.reshape(weights.shape + (1,) * (4 - weights.dim()))
    expected = (by_cell * (student - teachers).square()).sum() / (3 * 4)
    found = weighted_squares(student, teachers, weights)
    assert float(found) == pytest.approx(float(expected), rel=1e-12)
    wanted, got = (torch.autograd.grad(3 * value, student)[0] for value in (expected, found))
    torch.testing.assert_close(got, wanted)
    assert not got[1].any()


def test_a_blend_by_the_formula() -> None:
    """More windows than are blended at once; weights .25 and .75."""
    count, draw = PART + 3, torch.Generator().manual_seed(0)
    fields = [{"forecasts": torch.randn(count, 3, 2, generator=draw)} for _ in range(2)]
    valid = [torch.ones(count, dtype=torch.bool)] * 2
    outputs = TeacherOutputs(torch.arange(count), fields, valid, torch.zeros(1, 3, 2), [[], []], [slice(0, 3)] * 2)
    weighting = Fixed([1, 3])
    weighting.set_up(["a", "b"])
    blend = Blend.of(outputs, weighting)
    assert blend is not None and blend.weights.tolist() == [0.25, 0.75]
    first, second = (one["forecasts"].double() for one in fields)
    torch.testing.assert_close(blend.forecasts.double(), 0.25 * first + 0.75 * second, rtol=1e-6, atol=1e-6)
    # of two values with shares p and 1 − p: p(1 − p) times the square of their distance
    scatter = (0.1875 * (first - second).square()).mean((1, 2))
    torch.testing.assert_close(blend.scatter.double(), scatter, rtol=1e-5, atol=1e-7)


def network(**kwargs: Any) -> Any:
    return NLinearModel(LOOKBACK, HORIZON, **fast(**kwargs))


def series(length: int = 61) -> TimeSeries:
    return walk(length).astype("float64")


def fitted(
    losses: list[LossTerm] | None = None,
    weighting: Weighting | None = None,
    horizons: tuple[int, int] = (HORIZON, HORIZON),
    student: Any = None,
    **fit: Any,
) -> DistilledModel:
    teachers = [
        Teacher(NLinearModel(LOOKBACK, horizon, **fast(random_state=seed)), name=name).fit(series())
        for seed, (name, horizon) in enumerate(zip("ab", horizons, strict=True), 1)
    ]
    student = student or network(n_epochs=3, batch_size=16)
    model = DistilledModel(student, teachers, losses=losses, weighting=weighting or Fixed([1, 3]), balance=0.4)
    return model.fit(**({"series": series(), "verbose": False} | fit))


def blends(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each fit from now on blends its teachers."""
    found: list[bool] = []
    original = DistillationData.blend_teachers

    def watched(data: DistillationData, weighting: Weighting) -> None:
        original(data, weighting)
        found.append(data.blend is not None)

    monkeypatch.setattr(DistillationData, "blend_teachers", watched)
    return found


@pytest.mark.parametrize("losses", [[OutputKD(weight=0.7)], [OutputKD(), OutputKD(weight=0.5)]], ids=["one", "two"])
def test_it_trains_as_several_teachers_do(losses: list[LossTerm], monkeypatch: pytest.MonkeyPatch) -> None:
    """In double precision; and its losses are those of the several, as they are logged."""
    used = blends(monkeypatch)
    blended = fitted(losses)
    monkeypatch.setattr(DistillationData, "blend_teachers", lambda *_: None)
    several = fitted(losses)
    assert used == [True]
    for value, twin in zip(
        blended.student.model.state_dict().values(), several.student.model.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(value, twin, rtol=1e-9, atol=1e-11)
    assert blended.history == several.history
    one, other = blended.student.trainer.callback_metrics, several.student.trainer.callback_metrics
    assert {name: float(value) for name, value in one.items()} == pytest.approx(
        {name: float(value) for name, value in other.items()}, rel=1e-6
    )


def gapped() -> TimeSeries:
    values = series().values()
    values[30] = np.nan
    return series().with_values(values)


NOT: dict[str, dict[str, Any]] = {
    "a missing label": {"series": gapped()},
    "weighted labels": {"sample_weight": "linear"},
    "weights that adapt": {"weighting": CAMKD()},
    "another distance": {"losses": [OutputKD("mae")]},
    "one more loss": {"losses": [OutputKD(), LevelShapeKD()]},
    "labels that are weighed": {"losses": [OutputKD(), OutlierRejection()]},
    "a teacher of a part": {"horizons": (HORIZON, HORIZON - 1)},
}


@pytest.mark.parametrize("case", NOT)
def test_what_reads_more_gets_all_teachers(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    used = blends(monkeypatch)
    fitted(**NOT[case])
    assert not any(used)


def test_one_teacher_is_not_copied() -> None:
    answers = torch.randn(5, 3, 2)
    valid = [torch.ones(5, dtype=torch.bool)]
    outputs = TeacherOutputs(
        torch.arange(5), [{"forecasts": answers}], valid, torch.zeros(1, 3, 2), [[]], [slice(0, 3)]
    )
    weighting = Uniform()
    weighting.set_up(["a"])
    blend = Blend.of(outputs, weighting)
    assert blend is not None and blend.forecasts.data_ptr() == answers.data_ptr()
    assert not blend.scatter.any()


class FirstAlone(Uniform):
    """Follows the first teacher alone in what forecasts have in common."""

    @property
    def aspects(self) -> frozenset[Aspect]:
        return frozenset({"forecast"})

    def scores_of(self, step: Step, aspect: Aspect) -> torch.Tensor:
        return torch.tensor([1.0, 0.0])[:, None].expand(step.valid.shape)


def test_weights_of_the_aspect_count_where_there_are_some() -> None:
    own, given = fitted(weighting=FirstAlone()), fitted(weighting=Fixed([1, 0]))
    for value, twin in zip(
        own.student.model.state_dict().values(), given.student.model.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(value, twin, rtol=1e-9, atol=1e-11)


def test_a_blend_that_is_too_large_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of several is made in memory; a single teacher is its own."""
    used = blends(monkeypatch)
    monkeypatch.setattr("tskd.distillation.blend.LARGEST", 1)
    fitted()
    assert used == [False]
