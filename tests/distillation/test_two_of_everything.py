"""Two teachers of unequal parts of the horizon, two losses, two layers: each has what is its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from darts import TimeSeries
from darts.models import BlockRNNModel, TiDEModel
from torch import Tensor

from tests.helpers.closed_form import descending, noise, scripted
from tests.helpers.models import fast
from tests.helpers.steps import draw, make_step
from tskd import DistilledModel, Teacher
from tskd._core.layers import Layer
from tskd._core.model_inputs import ModelInputs
from tskd._core.window_keys import WindowSpan, encode, training_keys
from tskd._core.windows import Windows
from tskd.distillation.batches import DistillationData
from tskd.distillation.model_interface import ModelInterface
from tskd.distillation.objective import Objective
from tskd.distillation.paired_loss import StudentOutput
from tskd.losses import AttentiveImitation, FeatureKD, HorizonWeighted, OutlierRejection, OutputKD
from tskd.teachers.outputs import TeacherOutputs
from tskd.weighting import Fixed, MetaStep, Step, StepFeatures, Uniform, Weighting, WeightingNeeds

EARLY, LATE = slice(0, 3), slice(1, 4)
STUDENT = ModelInterface("TiDEModel", range(1, 5))
TEACHERS = {"early": ModelInterface("TiDEModel", range(1, 4)), "late": ModelInterface("TiDEModel", range(2, 5))}
SHARES = {"early": 1.0, "late": 3.0}
B = 5


def objective(losses: Any, weighting: Weighting | None = None, **teachers: ModelInterface) -> Objective:
    found = Objective(losses, weighting or Fixed(SHARES), STUDENT, teachers or TEACHERS, torch.zeros(B, 4, 2).double())
    return found.double()


def step_of(asked: Objective, said: Tensor, student: Tensor, **given: Any) -> Step:
    covers = asked.covers
    return make_step(said.where(covers[:, None, :, None], 0), student=student, covers=covers, **given)


def weights() -> Tensor:
    """By hand `[2, 4]`: the first step is the early teacher's alone, the last the late one's."""
    return torch.tensor([[1, 0.25, 0.25, 0], [0, 0.75, 0.75, 1]]).double()


def test_a_comparison_has_its_place_in_the_horizon() -> None:
    """Weights by horizon e^(2h/3), of mean 1 over the four steps, are those of the steps that a teacher forecasts."""
    asked = objective([HorizonWeighted(rate=2.0, weight=5.0)])
    student, early, late = draw(3, B, 4, 2)
    by_step = np.exp(2 * np.arange(4) / 3)
    by_step *= 4 / by_step.sum()
    step = step_of(asked, torch.stack([early, late]), student)
    found = asked(StudentOutput(student), step, [{}, {}], None).term
    expected = 0.0
    for k, (teacher, span) in enumerate(((early, EARLY), (late, LATE))):
        squares = (student - teacher).square().numpy()
        # a teacher of three of four steps counts in three quarters of the mean
        part = (weights()[k].numpy() * by_step)[None, :, None] * squares
        expected += 5 * part[:, span].sum() / (B * 4 * 2)
    assert found.item() == pytest.approx(expected)


def test_sample_weights_are_those_of_the_steps() -> None:
    asked = objective([OutputKD(), OutputKD("mae", weight=0.5)])
    student, early, late = draw(3, B, 4, 2)
    of_samples = draw(B, 4, 1, seed=4).abs()
    step = step_of(asked, torch.stack([early, late]), student)
    found = asked(StudentOutput(student), step, [{}, {}], of_samples).term
    expected = 0.0
    for k, teacher in enumerate((early, late)):
        apart = student - teacher
        part = of_samples * weights()[k][None, :, None] * (apart.square() + 0.5 * apart.abs())
        expected += part.sum().item() / (B * 4 * 2)
    assert found.item() == pytest.approx(expected)


@pytest.mark.parametrize(
    "losses", [[OutputKD()], [OutputKD(), OutputKD(weight=0.5)], [OutputKD("mae"), OutputKD()]], ids=str
)
def test_what_lies_where_a_teacher_says_nothing_does_not_enter(losses: list[OutputKD]) -> None:
    """NaN in windows in which it is not valid, and in steps that it does not forecast."""
    asked = objective(losses)
    student, early, late = draw(3, B, 4, 2)
    valid = torch.tensor([[True, True, False, True, True], [True, False, True, False, True]])
    present = valid[:, :, None, None] & asked.covers[:, None, :, None]
    said = torch.stack([early, late])
    output = student.clone().requires_grad_()
    step = make_step(said.where(present, torch.nan), valid, student=student, covers=asked.covers)
    found = asked(StudentOutput(output), step, [{}, {}], None).term
    shares = torch.tensor([1.0, 3.0])[:, None, None, None] * present
    # a step that no teacher speaks of has no weight
    shares /= shares.sum(0).where(shares.sum(0) > 0, 1)
    apart = student - said
    term = sum(loss.weight * (apart.abs() if loss.metric == "mae" else apart.square()) for loss in losses)
    expected = (shares * term).sum() / (B * 4 * 2)
    assert found is not None and found.item() == pytest.approx(expected.item())
    found.backward()
    assert output.grad is not None and output.grad.isfinite().all()


def test_labels_are_doubted_by_each_teacher_where_it_forecasts() -> None:
    """1 − Σ_k w_k·(1 − Huber's weight) of two losses, one times the other."""
    losses = [OutlierRejection(3.0), OutlierRejection(1.0, weight=0.5)]
    asked = objective([*losses, OutputKD()])
    for pair in asked.pairs[:4]:
        assert isinstance(pair.loss, OutlierRejection)
        pair.loss.limit.fill_(0.3 if pair.teacher == 0 else 0.7)
    student, early, late, target = draw(4, B, 4, 2)
    valid = torch.ones(2, B, dtype=torch.bool)
    valid[1, 2] = False
    said = torch.stack([early, late]).where(valid[:, :, None, None] & asked.covers[:, None, :, None], 0)
    step = make_step(said, valid, student=student, target=target, covers=asked.covers)
    labels = asked(StudentOutput(student), step, [{}, {}], None).labels
    expected = np.ones((B, 4, 2))
    for share in (1.0, 0.5):
        doubt = np.zeros((B, 4, 2))
        for b in range(B):
            for k, (span, limit) in enumerate(((EARLY, 0.3), (LATE, 0.7))):
                for h in range(*span.indices(4)) if valid[k, b] else ():
                    weight = weights()[k, h].item() if valid[:, b].all() else 1.0
                    size = (target[b, h] - said[k, b, h]).abs().numpy()
                    doubt[b, h] += weight * share * (1 - np.minimum(1, limit / size))
        expected *= 1 - doubt
    assert labels is not None and labels.numpy() == pytest.approx(expected)


def test_statistics_are_those_of_the_teacher() -> None:
    asked = objective([AttentiveImitation(), AttentiveImitation(weight=2.0)])
    for teacher, size in ((1, 3.0), (0, 1.0)):
        labels = torch.zeros(4, 3, 2).double()
        errors = size * torch.tensor([1.0, 2, 3, 4]).double()[:, None, None].expand(4, 3, 2)
        asked.fit_statistics(teacher, iter([(errors, labels)]))
    losses = [pair.loss for pair in asked.pairs]
    assert [pair.teacher for pair in asked.pairs] == [0, 1, 0, 1]
    assert [(loss.smallest.item(), loss.largest.item()) for loss in losses] == [(1, 16), (9, 144)] * 2  # type: ignore[operator]


class OfFeatures(Weighting):
    """Weights in proportion to the mean size of the teachers' features in a window; keeps what it was shown."""

    def __init__(self, probe: bool = False) -> None:
        super().__init__()
        self.probe, self.shown = probe, list[StepFeatures]()

    def __deepcopy__(self, memo: Any) -> OfFeatures:
        return self

    @property
    def needs(self) -> WeightingNeeds:
        return WeightingNeeds(linear_probe=self.probe)

    @property
    def aspects(self) -> Any:
        return frozenset({"features"})

    def scores(self, step: Step) -> Tensor:
        return step.valid.double()

    def scores_of(self, step: Step, aspect: Any) -> Tensor:
        assert step.features is not None
        self.shown.append(step.features)
        return torch.stack([features.abs().flatten(1).mean(1) for features in step.features.teachers])


LAYERS = {name: Layer(0, (2, 3)) for name in ("one", "two")}


def looking(horizon: range) -> ModelInterface:
    return ModelInterface("TiDEModel", horizon, layers=LAYERS)


def test_each_feature_loss_has_weights_of_its_own() -> None:
    """Two losses of two layers: the weights of each are of the features that it compares."""
    weighting = OfFeatures()
    losses = [FeatureKD("one", "one", None), FeatureKD("two", "two", None, weight=3.0)]
    asked = Objective(
        losses,
        weighting,
        looking(range(1, 5)),
        {"a": looking(range(1, 5)), "b": looking(range(1, 5))},
        torch.zeros(B, 4, 2).double(),
    )
    student, a, b = draw(3, B, 4, 2)
    ours = {"one": draw(B, 2, 3, seed=1), "two": draw(B, 2, 3, seed=2)}
    theirs = [{"one": draw(B, 2, 3, seed=k), "two": draw(B, 2, 3, seed=k + 1)} for k in (10, 20)]
    details = [{f"features.{name}": values for name, values in one.items()} for one in theirs]
    valid = torch.tensor([[True] * 5, [True, True, False, True, True]])
    step = make_step(torch.stack([a, b]), valid, student=student)
    term = asked(StudentOutput(student, features=ours), step, details, None)
    expected = torch.zeros(B).double()
    of_loss = []
    for name, size in (("one", 1.0), ("two", 3.0)):
        scores = torch.stack([one[name].abs().mean((1, 2)) for one in theirs]) * valid
        shares = scores / scores.sum(0)
        of_loss.append(shares)
        for k, one in enumerate(theirs):
            expected += size * shares[k] * (ours[name] - one[name]).square().mean((1, 2))
    torch.testing.assert_close(term.term, expected.mean())
    torch.testing.assert_close(term.aspects["features"], torch.stack(of_loss).mean(0))
    assert len(weighting.shown) == 2
    # where a teacher is not valid, what lies under the mask is not shown
    for name, shown in zip(LAYERS, weighting.shown, strict=True):
        torch.testing.assert_close(shown.teachers[1], theirs[1][name].where(valid[1][:, None, None], 0))


def test_a_probe_speaks_of_the_steps_that_its_teacher_forecasts() -> None:
    weighting = OfFeatures(probe=True)
    teachers = {"early": looking(range(1, 4)), "last": looking(range(4, 5))}
    asked = Objective(
        [FeatureKD("one", "two", None)], weighting, looking(range(1, 5)), teachers, torch.zeros(B, 4, 2).double()
    )
    assert asked.needing_probes() == [(0, "features.two"), (1, "features.two")]
    maps = [draw(6, 3 * 2, seed=6), draw(6, 1 * 2, seed=7)]
    for k, (map_, steps) in enumerate(zip(maps, (3, 1), strict=True)):
        features = draw(400, 2, 3, seed=8 + k)
        asked.fit_probe(k, "features.two", iter([(features, (features.flatten(1) @ map_).view(400, steps, 2) + k)]))
    ours, theirs = draw(B, 2, 3, seed=1), draw(B, 2, 3, seed=2)
    step = step_of(asked, draw(2, B, 4, 2), draw(B, 4, 2, seed=3))
    asked(StudentOutput(step.student, features={"one": ours}), step, [{"features.two": theirs}] * 2, None)
    (shown,) = weighting.shown
    assert shown.probe_forecasts is not None
    expected = torch.zeros(2, B, 4, 2).double()
    expected[0, :, :3] = (ours.flatten(1) @ maps[0]).view(B, 3, 2)
    expected[1, :, 3:] = (ours.flatten(1) @ maps[1]).view(B, 1, 2) + 1
    torch.testing.assert_close(shown.probe_forecasts, expected, rtol=1e-4, atol=1e-4)


def test_only_a_probe_that_explains_its_teacher_stands_in_for_it(caplog: pytest.LogCaptureFixture) -> None:
    weighting = OfFeatures(probe=True)
    asked = Objective(
        [FeatureKD("one", "two", None)],
        weighting,
        looking(range(1, 5)),
        {"a": looking(range(1, 5))},
        torch.zeros(B, 4, 2).double(),
    )
    features = draw(400, 2, 3, seed=8)
    asked.fit_probe(0, "features.two", iter([(features, draw(400, 4, 2, seed=9))]))
    assert "are weighed as their forecasts are" in caplog.text
    step = make_step(draw(1, B, 4, 2), student=draw(B, 4, 2, seed=3))
    asked(StudentOutput(step.student, features={"one": features[:B]}), step, [{"features.two": features[:B]}], None)
    assert weighting.shown[0].probe_forecasts is None


SERIES = noise(60)


def test_in_a_fit_too_statistics_are_of_each_teachers_own_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[int, float] = {}

    def keep(self: Objective, teacher: int, windows: Iterable[tuple[Tensor, Tensor]]) -> None:
        found[teacher] = torch.cat([said - labels for said, labels in windows]).mean().item()

    monkeypatch.setattr(Objective, "fit_statistics", keep)
    teachers = [scripted(SERIES, lambda labels, _, by=by: labels + by, f"by {by}") for by in (1.0, 3.0)]  # type: ignore[misc]
    DistilledModel(descending(n_epochs=1), teachers, AttentiveImitation()).fit(SERIES)
    assert found == pytest.approx({0: 1.0, 1: 3.0})


def test_in_a_fit_too_each_teacher_is_asked_for_layers_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two kinds of network, whose last hidden layers have other names."""
    seen: list[list[set[str]]] = []
    forward = Objective.forward

    def keep(self: Objective, output: Any, step: Any, details: Any, *rest: Any) -> Any:
        seen.append([set(one) for one in details])
        return forward(self, output, step, details, *rest)

    monkeypatch.setattr(Objective, "forward", keep)
    series = SERIES.astype("float32")
    teachers = [Teacher(kind(5, 3, **fast()), name=kind.__name__) for kind in (TiDEModel, BlockRNNModel)]
    DistilledModel(TiDEModel(5, 3, **fast()), teachers, FeatureKD()).fit(series)
    (first, second), *_ = seen
    assert len(first) == len(second) == 1 and first != second


class Asking(Weighting):
    """Equal weights; keeps the distances of which a meta step tells, and what they are by hand."""

    found: list[tuple[Tensor, Tensor]]

    def __init__(self, found: list[tuple[Tensor, Tensor]]) -> None:
        super().__init__()
        self.found = found

    def __deepcopy__(self, memo: Any) -> Asking:
        return self

    @property
    def needs(self) -> WeightingNeeds:
        return WeightingNeeds(meta_step_every=2)

    def scores(self, step: Step) -> Tensor:
        return step.valid.double()

    def meta_update(self, meta_step: MetaStep) -> None:
        step = meta_step.step
        apart = (step.student - step.forecasts).square() * step.covers[:, None, :, None]
        self.found.append((meta_step.losses(), apart.sum((2, 3)) / (step.target.shape[1] * step.target.shape[2])))


def test_a_meta_step_tells_mean_squared_distances_over_the_steps_that_a_teacher_forecasts() -> None:
    """Of a student without dropout, whose forecasts are the same in evaluation; every second of five steps."""
    found: list[tuple[Tensor, Tensor]] = []
    teachers = [
        Teacher(descending(n_epochs=1).fit(SERIES), name="whole"),
        Teacher.from_forecasts([SERIES[at : at + 2] for at in range(5, 58)], name="late", first_step=2),
    ]
    student = descending(n_epochs=1, batch_size=11)
    DistilledModel(student, teachers, weighting=Asking(found)).fit(SERIES)
    assert len(found) == 3
    for losses, expected in found:
        torch.testing.assert_close(losses, expected)
        assert (losses > 0).any(1).all()


def test_a_batch_of_labelled_windows_has_no_other() -> None:
    values = np.arange(40.0)
    values[:30] = np.nan
    times = pd.date_range("2020-01-01", periods=40, freq="h")
    series = [TimeSeries.from_times_and_values(times, values), TimeSeries.from_times_and_values(times, np.arange(40.0))]
    filled = [series[1], series[1]]
    keys = training_keys([40, 40], WindowSpan(3, 2))
    windows = Windows.of(ModelInputs(series, past_target=filled), WindowSpan(3, 2))
    nothing = TeacherOutputs(encode(keys).unique(), [], [], torch.zeros(1, 2, 1).double())
    data = DistillationData(keys, windows, nothing)
    drawn = data.labelled_batch(10**6, torch.Generator().manual_seed(0)).keys
    # of the first series, the windows with a label at step 30 or later
    expected = [key for key in keys.tolist() if key[0] == 1 or key[1] + 2 >= 30]
    assert sorted(drawn.tolist()) == sorted(expected) and len(expected) < len(keys)
    assert data.labelled_batch(7, torch.Generator().manual_seed(0)).keys.shape == (7, 2)


def test_even_weights_where_nothing_else_is_said() -> None:
    asked = objective([OutputKD()], Uniform())
    details: list[Mapping[str, Tensor]] = [{}, {}]
    step = step_of(asked, draw(2, B, 4, 2), draw(B, 4, 2, seed=5))
    found = asked(StudentOutput(step.student), step, details, None).weights
    assert found[:, 0].tolist() == [[1, 0.5, 0.5, 0], [0, 0.5, 0.5, 1]]
