"""Squared errors to several teachers at the cost of one, with the gradient and the value of all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from darts import TimeSeries
from darts.models import NLinearModel, TCNModel
from darts.models.forecasting.pl_forecasting_module import PLForecastingModule
from darts.utils.likelihood_models.torch import GaussianLikelihood
from torch import nn

from tests.helpers.models import fast
from tests.helpers.series import walk
from tskd import DistilledModel, Teacher
from tskd._core.aspects import Aspect
from tskd._core.darts.capabilities import window_span
from tskd._core.model_inputs import ModelInputs
from tskd._core.window_keys import encode
from tskd._core.windows import Windows
from tskd.distillation.batches import DistillationData
from tskd.distillation.blend import PART, Blender
from tskd.distillation.history import Hours, Tally
from tskd.distillation.model_interface import ModelInterface
from tskd.distillation.objective import Objective
from tskd.distillation.squared_errors import weighted_squares
from tskd.losses import LevelShapeKD, LossTerm, OutlierRejection, OutputKD
from tskd.teachers.outputs import TeacherOutputs
from tskd.weighting import AEKD, CAMKD, DEMKD, LFME, BatesGranger, Fixed, InverseError, Step, Uniform, Weighting
from tskd.weighting.base import Variation

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


class Drawn(Weighting):
    """Scores of each window, step and component by chance, and a share of them."""

    def __init__(self, shape: tuple[int, ...], sum_up_to_one: bool = True) -> None:
        super().__init__()
        self.shape, self.sum_up_to_one = shape, sum_up_to_one

    @property
    def varies(self) -> Variation:
        return "window"

    def scores(self, step: Step) -> torch.Tensor:
        draws = [torch.Generator().manual_seed(int(origin)) for origin in step.keys[:, 1]]
        shape = len(step.forecasts), *self.shape
        return torch.stack([torch.rand(shape, generator=draw, dtype=torch.float64) for draw in draws], 1)

    def forward(self, step: Step) -> torch.Tensor:
        weights = super().forward(step)
        if self.sum_up_to_one:
            return weights
        gates = (step.keys[:, 1] % 3 / 2).to(weights)
        return weights * gates.reshape(-1, *[1] * len(self.shape))


def data_of(teachers: int, windows: Windows) -> DistillationData:
    count, draw = 2 * PART + 3, torch.Generator().manual_seed(0)
    keys = torch.stack([torch.zeros(count, dtype=torch.long), LOOKBACK + torch.arange(count)], 1)
    fields = [
        {"forecasts": torch.randn(count, HORIZON + k, 2, generator=draw, dtype=torch.float64)} for k in range(teachers)
    ]
    spans = [slice(0, HORIZON)] * teachers
    valid = [torch.ones(count, dtype=torch.bool)] * teachers
    like = torch.zeros(1, HORIZON, 2, dtype=torch.float64)
    outputs = TeacherOutputs(encode(keys), fields, valid, like, [[]] * teachers, spans)
    # from the newest window back, as darts has them
    return DistillationData(keys.flip(0), windows, outputs)


@pytest.fixture(scope="module")
def windows() -> Windows:
    values = walk(LOOKBACK + 2 * PART + 3 + HORIZON, components=2).astype("float64")
    return Windows.of(ModelInputs([values]), window_span(NLinearModel(LOOKBACK, HORIZON, **fast())))


@pytest.mark.parametrize("teachers", [1, 3])
@pytest.mark.parametrize("ones", [True, False], ids=["shares", "gated"])
@pytest.mark.parametrize("shape", [(), (HORIZON,), (1, 2), (HORIZON, 2)])
def test_a_blend_by_the_formula(shape: tuple[int, ...], ones: bool, teachers: int, windows: Windows) -> None:
    """Value and gradient of Σ_k w_k (s − t_k)², in more windows than are blended at once, some of which weigh 0."""
    data, weighting = data_of(teachers, windows), Drawn(shape, ones)
    outputs = data.outputs
    assert outputs is not None
    blender = Blender.of(data, weighting)
    assert blender is not None and data.rows_only
    rows = torch.randperm(len(outputs.codes), generator=torch.Generator().manual_seed(1))[: PART + 7]
    taken = blender.take(rows, 0, torch.device("cpu"))
    keys = data.keys.flip(0)[rows]
    forecasts, valid = outputs.take(rows)
    nothing = torch.zeros_like(forecasts[0])
    weights = weighting(Step(forecasts, valid, nothing, nothing, keys, 0))
    by_cell = weights.reshape(weights.shape + (1,) * (4 - weights.dim()))
    student = torch.randn(forecasts.shape[1:], dtype=torch.float64, requires_grad=True)
    expected = (by_cell * (student - forecasts).square()).sum(0).mean()
    interface = ModelInterface("model", range(1, 1 + HORIZON))
    objective = Objective([OutputKD()], weighting, interface, dict.fromkeys("abc"[:teachers], interface), nothing[:1])
    term = objective.blended(student, taken)
    assert float(term) == pytest.approx(float(expected), rel=1e-12)
    wanted, got = (torch.autograd.grad(value, student)[0] for value in (expected, term))
    torch.testing.assert_close(got, wanted)


@pytest.mark.parametrize("shape", [(), (HORIZON, 2)])
def test_the_history_of_blended_steps(
    shape: tuple[int, ...], windows: Windows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights of two epochs, unlike in their windows, and of more than are summed at once."""
    data, weighting = data_of(3, windows), Drawn(shape, True)
    outputs = data.outputs
    assert outputs is not None
    blender = Blender.of(data, weighting)
    assert blender is not None
    monkeypatch.setattr("tskd.distillation.blend.COUNTED", 100)
    hours = Hours(torch.arange(LOOKBACK + len(data)).remainder(7), torch.tensor([0]))
    tally, cpu = Tally(hours), torch.device("cpu")
    blender.count(tally, cpu)
    assert not tally
    for epoch, size in ((0, PART), (1, PART // 2)):
        order = torch.randperm(len(outputs.codes), generator=torch.Generator().manual_seed(epoch))[: size + 5]
        for rows in order.split(32):
            blender.take(rows, epoch, cpu)
        blender.count(tally, cpu)
        keys = data.keys.flip(0)[order]
        forecasts, valid = outputs.take(order)
        nothing = torch.zeros_like(forecasts[0])
        weights = weighting(Step(forecasts, valid, nothing, nothing, keys, epoch))
        found = tally.record(epoch, list("abc"), lambda values, reduce_op: values)
        tally.clear()
        own = weights.flatten(2).mean(2) if shape else weights
        assert list(found["weights"].values()) == pytest.approx(own.mean(1).tolist(), rel=1e-9)
        assert found["effective"] == pytest.approx(float((own.sum(0) ** 2 / own.square().sum(0)).mean()), rel=1e-9)
        late = hours(keys) == 5
        assert found["by_hour"]["c"][5] == pytest.approx(float(own[2, late].mean()), rel=1e-9)
        if shape:
            assert found["by_step"]["b"] == pytest.approx(weights.mean((1, 3))[1].tolist(), rel=1e-9)


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
    original = Blender.of

    def watched(data: DistillationData, weighting: Weighting) -> Blender | None:
        blender = original(data, weighting)
        found.append(blender is not None)
        return blender

    monkeypatch.setattr(Blender, "of", watched)
    return found


ALL: dict[str, dict[str, Any]] = {
    "fixed": {},
    "a coefficient": {"losses": [OutputKD(weight=0.7)]},
    "two losses": {"losses": [OutputKD(), OutputKD(weight=0.5)]},
    "calibrated": {"weighting": InverseError()},
    "by step": {"weighting": BatesGranger()},
    "by window": {"weighting": CAMKD(temperature=0.5)},
    "by window, step and component": {"weighting": DEMKD()},
    "by epoch": {"weighting": LFME(curriculum=0, bins=2)},
}


@pytest.mark.parametrize("case", ALL)
def test_it_trains_as_several_teachers_do(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In double precision; and its losses and weights are those of the several, as they are logged."""
    used = blends(monkeypatch)
    blended = fitted(**ALL[case])
    monkeypatch.setattr(Blender, "of", lambda *_: None)
    several = fitted(**ALL[case])
    assert used == [True]
    for value, twin in zip(
        blended.student.model.state_dict().values(), several.student.model.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(value, twin, rtol=1e-9, atol=1e-11)
    for entry, twin in zip(blended.history, several.history, strict=True):
        for name, value in entry.items():
            assert flat(value) == pytest.approx(flat(twin[name]), rel=1e-6, nan_ok=True), name  # type: ignore[literal-required]
    one, other = blended.student.trainer.callback_metrics, several.student.trainer.callback_metrics
    assert {name: float(value) for name, value in one.items()} == pytest.approx(
        {name: float(value) for name, value in other.items()}, rel=1e-6
    )


class Doubled(nn.MSELoss):
    def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(input, target)


STUDENTS: dict[str, Callable[[], Any]] = {
    "absolute errors": lambda: network(loss_fn=nn.L1Loss(), n_epochs=2),
    "summed squares": lambda: network(loss_fn=nn.MSELoss(reduction="sum"), n_epochs=2),
    "twice the squares": lambda: network(loss_fn=Doubled(), n_epochs=2),
    "a likelihood": lambda: network(likelihood=GaussianLikelihood(), normalize=False, n_epochs=2),
    "labels in its lookback": lambda: TCNModel(LOOKBACK, HORIZON, **fast(n_epochs=2, num_filters=2, dropout=0.0)),
}


@pytest.mark.parametrize("case", STUDENTS)
def test_the_loss_of_labels_is_the_students_own(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    used = blends(monkeypatch)
    blended = fitted(student=STUDENTS[case]())
    monkeypatch.setattr(Blender, "of", lambda *_: None)
    several = fitted(student=STUDENTS[case]())
    assert used == [True]
    losses = [dict(one.student.trainer.callback_metrics) for one in (blended, several)]
    for name in ("train_label_loss", "train_distillation_loss", "train_loss"):
        assert float(losses[0][name]) == pytest.approx(float(losses[1][name]), rel=1e-9), name
    for value, twin in zip(
        blended.student.model.state_dict().values(), several.student.model.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(value, twin, rtol=1e-9, atol=1e-11)


def test_what_a_network_makes_of_its_loss_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """As foundation models, which compare on a scale of their own."""
    kind, original = type(fitted().student.model), PLForecastingModule._compute_loss
    plain = fitted()
    monkeypatch.setattr(kind, "_compute_loss", lambda *args: 3 * original(*args))
    tripled = fitted()
    first, second = (one.student.trainer.callback_metrics["train_label_loss"] for one in (plain, tripled))
    assert float(second) > 2 * float(first)


def flat(value: Any) -> list[float]:
    """All numbers in an entry of the history."""
    if isinstance(value, dict):
        return [number for one in value.values() for number in flat(one)]
    return [number for one in value for number in flat(one)] if isinstance(value, list) else [float(value)]


def gapped() -> TimeSeries:
    values = series().values()
    values[30] = np.nan
    return series().with_values(values)


NOT: dict[str, dict[str, Any]] = {
    "a missing label": {"series": gapped()},
    "weighted labels": {"sample_weight": "linear"},
    "weights that follow the student": {"weighting": AEKD()},
    "weights that compare the windows of a batch": {"weighting": LFME()},
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


@pytest.mark.parametrize("weighting", [Uniform(), CAMKD()], ids=["uniform", "by window"])
def test_one_teacher_is_not_copied(weighting: Weighting, windows: Windows) -> None:
    data = data_of(1, windows)
    assert data.outputs is not None
    answers = data.outputs.fields[0]["forecasts"]
    weighting.set_up(["a"])
    blend = Blender(data, weighting).blend(0, torch.device("cpu"))
    assert isinstance(blend.forecasts, torch.Tensor) and blend.forecasts.data_ptr() == answers.data_ptr()
    assert blend.scatter is None and blend.total is None
    # the teachers' own arrays are no longer held
    assert data.outputs is None


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
