"""What losses are shown in training: the layers, distributions and continuations of the right windows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
from darts import TimeSeries
from darts.models import BlockRNNModel, TCNModel, TiDEModel, TransformerModel
from darts.utils.likelihood_models import GaussianLikelihood, QuantileRegression
from darts.utils.likelihood_models.torch import WeibullLikelihood
from torch import Tensor
from torch.distributions import Normal

from tests.helpers.closed_form import LBFGS, descending, forecasts, linear, regression, windows
from tests.helpers.models import fast
from tests.helpers.scripted import Scripted
from tests.helpers.series import QUIET, walk
from tests.helpers.steps import make_step
from tskd import DistilledModel, Teacher
from tskd._core.darts.forward import ModuleStage, PLModuleInput, point_forecast
from tskd._core.darts.inspect import encoded_covariates
from tskd._core.darts.roll_forward import roll_forward, roll_starts
from tskd._core.model_inputs import ModelInputs
from tskd._core.window_keys import WindowSpan, training_keys
from tskd._core.windows import Windows
from tskd.distillation.model_interface import ModelInterface
from tskd.distillation.module import step_by_hand
from tskd.distillation.objective import Objective
from tskd.distillation.paired_loss import StudentOutput
from tskd.losses import (
    AutoregressiveKD,
    DistillationLoss,
    FeatureKD,
    HorizonWeighted,
    LikelihoodKD,
    LossTerm,
    MultiPeriodKD,
    Needs,
    OutlierRejection,
    OutputKD,
    SampleRelation,
    StudentTeacherPair,
    TeacherBounded,
    TemporalRelation,
)
from tskd.teachers.crossfit import CrossFit
from tskd.teachers.outputs import collect
from tskd.teachers.predictor import OutputRequest
from tskd.weighting import InverseError, Uniform

L, H = 6, 4
COMMON: dict[str, Any] = fast(batch_size=16)
SERIES = [walk(60, 2), walk(45, 2, seed=1, start="2020-01-01 06:00")]


class Spy(DistillationLoss):
    """Keeps what it is shown."""

    seen: list[StudentTeacherPair]

    def __init__(self, needs: Needs, seen: list[StudentTeacherPair]) -> None:
        super().__init__()
        self.wanted, self.seen = needs, seen

    def __deepcopy__(self, memo: Any) -> Spy:
        return Spy(self.wanted, self.seen)

    def settings(self) -> dict[str, Any]:
        return {}

    @property
    def needs(self) -> Needs:
        return self.wanted

    def forward(self, pair: StudentTeacherPair) -> Tensor:
        self.seen.append(pair)
        return (pair.student - pair.teacher).square()


def shown(needs: Needs, student: Any, teacher: Teacher, **fit_kwargs: Any) -> list[StudentTeacherPair]:
    """What a loss is shown in one epoch, without the probe."""
    seen: list[StudentTeacherPair] = []
    DistilledModel(student, teacher, Spy(needs, seen)).fit(SERIES, **fit_kwargs)
    return seen


def by_label(rows: Tensor) -> list[tuple[int, int]]:
    """The windows (series, origin) whose labels `[M, H, C]` these are."""
    found = []
    for labels in rows.double().numpy():
        places = [
            (index, origin)
            for index, series in enumerate(SERIES)
            for origin in range(L - 1, len(series) - H)
            if np.array_equal(series.values()[origin + 1 : origin + 1 + H], labels)
        ]
        assert len(places) == 1
        found += places
    return found


def lookbacks(keys: list[tuple[int, int]], lookback: int) -> Tensor:
    return torch.stack([torch.from_numpy(SERIES[i].values()[t + 1 - lookback : t + 1]) for i, t in keys]).float()


def test_features_are_those_of_the_right_windows() -> None:
    """The teacher's layer, asked by hand for each window of a shuffled batch; another lookback than the student's."""
    teacher = Teacher(BlockRNNModel(L - 2, H, hidden_dim=5, **COMMON)).fit(SERIES)
    student = BlockRNNModel(L, H, hidden_dim=3, **(COMMON | {"optimizer_kwargs": {"lr": 0.0}}))
    seen = shown(Needs(layers=("auto", "auto")), student, teacher)
    assert sum(len(pair.target) for pair in seen) == 2 * (60 - L - H + 1)
    for pair in seen:
        keys = by_label(pair.target)
        assert pair.features is not None
        for features, network, lookback in zip(pair.features, (student, teacher.model), (L, L - 2), strict=True):
            with torch.no_grad():
                expected = network.model.eval().rnn(lookbacks(keys, lookback))[0]
            torch.testing.assert_close(features.detach(), expected)
        assert pair.features[0].requires_grad
        assert not pair.features[1].requires_grad and not pair.teacher.requires_grad


@pytest.mark.parametrize(
    ("student", "layer", "shape"),
    [
        (TransformerModel(L, H, d_model=8, nhead=2, dim_feedforward=8, **COMMON), "auto", (L, 8)),
        (TCNModel(L, H, num_filters=3, **COMMON), "auto", (L, 3)),
        (TiDEModel(L, H, hidden_size=7, **COMMON), "auto", (7,)),
        (TiDEModel(L, H, decoder_output_dim=2, **COMMON), "decoders.0.skip", (H * 2,)),
    ],
    ids=["steps first", "time last", "units alone", "a named layer"],
)
def test_features_have_windows_first_and_time_before_units(student: Any, layer: str, shape: tuple[int, ...]) -> None:
    seen = shown(Needs(layers=(layer, "auto")), student, Teacher(TiDEModel(L, H, **COMMON), name="t"))
    assert all(pair.features is not None and pair.features[0].shape == (len(pair.target), *shape) for pair in seen)


@pytest.mark.parametrize("likelihood", [GaussianLikelihood(), QuantileRegression([0.1, 0.5, 0.9])], ids=["N", "Q"])
def test_distributions_are_those_of_the_right_windows(likelihood: Any) -> None:
    teacher = Teacher(TiDEModel(L - 2, H + 3, likelihood=likelihood, **COMMON)).fit(SERIES)
    student = TiDEModel(L, H, likelihood=likelihood, **COMMON)
    pair = shown(Needs(likelihood=True), student, teacher)[0]
    assert pair.predictive is not None
    known = [SERIES[index][: origin + 1] for index, origin in by_label(pair.target)]
    expected = teacher.model.predict(H + 3, known, predict_likelihood_parameters=True)
    for row, forecast in enumerate(expected):
        values = forecast.values()[:H].reshape(H, 2, -1)
        said = pair.predictive[1]
        if said.quantiles is not None:
            found = said.quantiles[row]
        else:
            assert isinstance(said.distribution, Normal)
            found = torch.stack([said.distribution.loc[row], said.distribution.scale[row]], -1)
        np.testing.assert_allclose(found.numpy(), values, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("steps", [1, 3, 4, 5, 12])
def test_the_roll_is_what_predict_forecasts(steps: int) -> None:
    """With past and future covariates, static ones and encoders."""
    encoders = {"cyclic": {"future": ["hour"], "past": ["dayofweek"]}}
    series = SERIES[0].with_static_covariates(pd.DataFrame({"s": [0.5, 1.5]}))
    past, future = walk(60, seed=8, name="p"), walk(60, seed=9, name="f")
    model = TiDEModel(L, H, add_encoders=encoders, **COMMON)
    model.fit(series, past_covariates=past, future_covariates=future)
    ahead = H + steps
    origin = 60 - ahead - 1

    windows_ = networks_windows(model, series, past, future)
    keys = torch.tensor([[0, origin], [0, origin - 9]])
    first = windows_.gather(keys)
    rest = windows_.without("past_target", "future_target")
    later = [rest.gather(keys + torch.tensor([0, start])) for start in roll_starts(H, steps)]
    network = model.model.eval()
    with torch.no_grad():
        slots = {name: values for name, values in first.items() if name != "future_target"}
        output = network(PLModuleInput(**slots, stage=ModuleStage.PREDICT))
        forecast = point_forecast(network, output.prediction)
        found = torch.cat([forecast, roll_forward(network, first["past_target"], forecast, later, steps)], 1)

    for row, at in enumerate((origin, origin - 9)):
        expected = model.predict(ahead, series[: at + 1], past_covariates=past, future_covariates=future)
        # of the first chunk, predict keeps what the last one does not replace
        kept = min(H, steps)
        np.testing.assert_allclose(found[row, :kept].numpy(), expected.values()[:kept], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(found[row, H:].numpy(), expected.values()[H:], rtol=1e-5, atol=1e-5)


def networks_windows(model: Any, series: TimeSeries, past: TimeSeries, future: TimeSeries) -> Windows:
    past_, future_ = encoded_covariates(model, [series], [past], [future])
    return Windows.of(ModelInputs([series], past_, future_), WindowSpan(L, H))


def test_what_is_rolled_stands_beside_what_the_teacher_says_of_these_steps() -> None:
    """The last windows have no past covariates for the roll, and no part in it."""
    past = [walk(60 - 3, seed=8, name="p"), walk(45 + 9, seed=9, name="p", start="2020-01-01 06:00")]
    teacher = Teacher(TiDEModel(L, H + 5, **COMMON)).fit(SERIES, past_covariates=past)
    student = TiDEModel(L, H, **(COMMON | {"dropout": 0.0, "optimizer_kwargs": {"lr": 0.0}}))
    seen = shown(Needs(ahead=5), student, teacher, past_covariates=past)
    keys = [key for pair in seen for key in by_label(pair.target)]
    last = {index: max(t for i, t in keys if i == index) for index in (0, 1)}
    # the roll reads covariates up to 5 steps past the origin
    assert last == {0: 56 - 5, 1: 45 - H - 1}
    for pair in seen:
        assert pair.ahead is not None
        for row, (index, origin) in enumerate(by_label(pair.target)):
            known = {"series": SERIES[index][: origin + 1], "past_covariates": past[index]}
            beyond = teacher.model.predict(H + 5, **known).values()[H:]
            rolled = student.predict(H + 5, **known).values()[H:]
            np.testing.assert_allclose(pair.ahead[1][row].numpy(), beyond, rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(pair.ahead[0][row].detach().numpy(), rolled, rtol=1e-4, atol=1e-5)


def test_a_student_learns_to_go_on_as_its_teacher_does() -> None:
    """Pure roll-out distillation of a linear student: its continuation comes nearer to what the teacher says there."""
    series = SERIES[0].astype("float64")
    teacher = Teacher(TiDEModel(5, 9, **(COMMON | {"n_epochs": 5})), name="far").fit(series)
    students = [descending(lr=0.02, n_epochs=30, batch_size=16) for _ in range(2)]
    both: list[LossTerm] = [OutputKD(), AutoregressiveKD(6, weight=2.0)]
    for student, losses in zip(students, (both[:1], both), strict=True):
        DistilledModel(student, teacher, losses, balance=1.0).fit(series)

    def beyond(model: Any) -> np.ndarray:
        said = model.historical_forecasts(series, forecast_horizon=9, retrain=False, last_points_only=False)
        return np.array([forecast.values()[3:] for forecast in said])

    target = beyond(teacher.model)
    without, with_roll = (float(np.square(beyond(student) - target).mean()) for student in students)
    assert with_roll < 0.7 * without


def test_labels_far_from_the_teacher_count_as_the_weights_say() -> None:
    """Weighted least squares on the blended target, the labels of outliers fading as 3σ/|y − t|."""
    series = walk(120, 1, dtype="float64")
    values = series.values(copy=True)
    values[[30, 31, 70]] += 25
    series = series.with_values(values)
    inputs, labels = windows(series)
    soft = np.sin(labels)
    teacher = Scripted(descending(n_epochs=1).fit(series), lambda y, _: torch.sin(y))
    residual = np.abs(labels - soft)
    limit = 3 * 1.4826 * np.sort(residual, axis=0)[(len(residual) - 1) // 2]
    weights = np.minimum(1, limit / residual)
    assert 0 < (weights < 0.9).sum() < 30

    student = linear(optimizer_kwargs=LBFGS)
    DistilledModel(student, teacher, [OutputKD(), OutlierRejection()], balance=0.5).fit(series)

    # (w·(y − f)² + (t − f)²)/2 is least where (1 + w)·f = w·y + t
    blended = (weights * labels + soft) / (1 + weights)
    expected = regression(inputs, blended, (1 + weights)[..., 0])
    assert np.abs(forecasts(student, series) - expected).max() < 1e-3
    without = regression(inputs, (labels + soft) / 2)
    assert np.abs(expected - without).max() > 0.1


def test_label_weights_multiply_sample_weights_and_keep_lone_windows_whole() -> None:
    """Windows that no teacher judges keep their labels; the loss function's reduction is put back."""
    series = walk(60, 1, dtype="float64")
    given = walk(60, 1, seed=4, dtype="float64").map(lambda v: np.abs(v) + 0.1)

    def said(labels: Tensor, keys: Tensor) -> Tensor:
        return torch.where((keys[:, 1] < 30)[:, None, None], labels + 100, torch.nan)

    teacher = Scripted(descending(n_epochs=1).fit(series), said)
    loss_fn = torch.nn.MSELoss()
    student = linear(loss_fn=loss_fn)
    with pytest.warns(UserWarning, match="forecasts NaN"):
        model = DistilledModel(student, teacher, OutlierRejection(threshold=0.001), balance=0.5)
        model.fit(series, sample_weight=given)
    assert student.model.train_criterion.reduction == "mean"
    inputs, labels = windows(series)
    # threshold·σ is .001·1.4826·100: judged windows nearly vanish
    judged = np.arange(len(labels)) + 4 < 30
    rows = windows(given)[1][..., 0] * np.where(judged, 0.0014826, 1)[:, None]
    assert np.abs(forecasts(student, series) - regression(inputs, labels, rows)).max() < 2e-3


def test_projectors_are_trained_kept_with_the_distillation_and_never_in_the_student(tmp_path: Path) -> None:
    teacher = Teacher(TiDEModel(L, H, hidden_size=5, **COMMON)).fit(SERIES)

    def student(name: str, epochs: int) -> Any:
        options = {k: v for k, v in COMMON.items() if k != "pl_trainer_kwargs"}
        quiet = {k: v for k, v in QUIET.items() if k != "enable_checkpointing"}
        return TiDEModel(
            L,
            H,
            hidden_size=3,
            model_name=name,
            work_dir=str(tmp_path),
            save_checkpoints=True,
            force_reset=True,
            pl_trainer_kwargs=quiet,
            **(options | {"n_epochs": epochs}),
        )

    def own(model: Any) -> dict[str, Tensor]:
        (path,) = (tmp_path / model.model_name / "checkpoints").glob("last*.ckpt")
        checkpoint = torch.load(path, weights_only=False)
        assert not any("regressor" in name for name in checkpoint["state_dict"])
        return checkpoint["distillation"]["state_dict"]

    short, long = student("short", 1), student("long", 3)
    for model in (short, long):
        DistilledModel(model, teacher, [OutputKD(), FeatureKD()]).fit(SERIES)
        assert not any("regressor" in name for name in model.model.state_dict())
    before, after = own(short), own(long)
    assert before.keys() == after.keys() and any("regressor" in name for name in before)
    assert all(not torch.equal(before[name], after[name]) for name in before if "regressor" in name)


def test_a_distribution_is_learned_from_the_teacher_alone() -> None:
    """With α = 1 and the divergence as the only loss, mean and spread of the student come to be the teacher's."""
    series = walk(200, 1, dtype="float64")
    options = COMMON | {"optimizer_kwargs": {"lr": 0.003}, "likelihood": GaussianLikelihood(), "dropout": 0.0}
    teacher = Teacher(TiDEModel(L, 2, **(options | {"n_epochs": 10})), name="t").fit(series)
    student = TiDEModel(L, 2, **(options | {"n_epochs": 40, "random_state": 7}))
    DistilledModel(student, teacher, LikelihoodKD(temperature=2.0), balance=1.0).fit(series)
    known = [series[: n + 1] for n in range(20, 190, 10)]
    mine, theirs = (
        np.array([f.values() for f in model.predict(2, known, predict_likelihood_parameters=True)])
        for model in (student, teacher.model)
    )
    spread = theirs[..., 1].mean()
    assert np.abs(mine[..., 0] - theirs[..., 0]).mean() < 0.3 * spread
    assert np.abs(mine[..., 1] / theirs[..., 1] - 2).mean() < 0.2


def test_nested_losses_are_saved_and_loaded(tmp_path: Path) -> None:
    from tskd.losses import LevelShapeKD, MultiScaleKD

    teacher = Teacher(TiDEModel(L, H, **COMMON), name="t")
    losses = [HorizonWeighted(LevelShapeKD(level=2.0), rate=0.5), FeatureKD(loss=MultiScaleKD(scales=0), weight=0.1)]
    model = DistilledModel(TiDEModel(L, H, **COMMON), teacher, losses).fit(SERIES)
    model.save(tmp_path / "model")
    assert repr(list(DistilledModel.load(tmp_path / "model").losses)) == repr(losses)


def test_training_keys_are_those_of_the_spied_windows() -> None:
    seen = shown(Needs(), TiDEModel(L, H, **COMMON), Teacher(TiDEModel(L, H, **COMMON), name="t"))
    keys = sorted(key for pair in seen for key in by_label(pair.target))
    assert keys == sorted(map(tuple, training_keys([60, 45], WindowSpan(L, H)).tolist()))


@pytest.mark.parametrize("loss", [SampleRelation("similarity"), TemporalRelation(), MultiPeriodKD()], ids=str)
def test_windows_that_a_teacher_cannot_judge_are_no_part_of_a_relation(loss: DistillationLoss) -> None:
    generator = torch.Generator().manual_seed(0)
    student = torch.randn(6, 5, 2, generator=generator, requires_grad=True)
    teacher, labels = torch.randn(6, 5, 2, generator=generator), torch.zeros(6, 5, 2)
    valid = torch.tensor([True, False, True, True, False, True])
    plain = ModelInterface("TiDEModel", range(1, 6))
    objective = Objective([loss], Uniform(), plain, {"t": plain}, labels)
    said = teacher.where(valid[:, None, None], 0)[None]
    step = make_step(said, valid[None], student=student, target=labels)
    term = objective(StudentOutput(student), step, [{}], None).term
    expected = loss(StudentTeacherPair(student[valid], teacher[valid], labels[valid])).mean()
    assert term is not None
    torch.testing.assert_close(term, expected)
    term.backward()
    assert student.grad is not None
    assert bool((student.grad[~valid] == 0).all()) and bool((student.grad[valid] != 0).any())


def test_a_batch_too_small_for_a_relation_says_nothing() -> None:
    plain = ModelInterface("TiDEModel", range(1, 6))
    labels = torch.zeros(4, 5, 2)
    objective = Objective([SampleRelation()], Uniform(), plain, {"t": plain}, labels)
    step = make_step(labels[None], torch.tensor([[True, True, False, False]]), target=labels)
    assert objective(StudentOutput(labels), step, [{}], None).term is None


def test_a_teacher_of_too_few_windows_leaves_its_share_of_a_relation_to_nobody() -> None:
    """The second has two of five windows: there the first has half of the relation, and all where it is alone."""
    losses = [SampleRelation(weight=2.0), OutputKD()]
    plain = ModelInterface("TiDEModel", range(1, 5))
    student, a, b, labels = torch.randn(4, 5, 4, 2, generator=torch.Generator().manual_seed(3)).double()
    objective = Objective(losses, Uniform(), plain, {"a": plain, "b": plain}, labels)
    valid = torch.tensor([[True] * 5, [True, True, False, False, False]])
    step = make_step(torch.stack([a, b]), valid, student=student, target=labels)
    weights = torch.tensor([[0.5, 0.5, 1, 1, 1], [0.5, 0.5, 0, 0, 0]]).double()
    relation = 2 * weights[0] * SampleRelation()(StudentTeacherPair(student, a, labels))
    distances = (weights * (student - torch.stack([a, b])).square().mean((2, 3))).sum(0)
    found = objective(StudentOutput(student), step, [{}, {}], None).term
    assert found is not None
    torch.testing.assert_close(found, (relation + distances).mean())


def test_held_out_windows_are_asked_for_forecasts_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No loss compares anything there, though teachers are judged by them."""
    asked: list[tuple[int, int, list[str]]] = []

    def spy(name: str, one: Any, wanted: OutputRequest, *rest: Any) -> Any:
        asked.append((len(wanted.keys), wanted.steps.stop - wanted.steps.start, list(wanted.fields)))
        return collect(name, one, wanted, *rest)

    monkeypatch.setattr("tskd.teachers.outputs.collect", spy)
    options = COMMON | {"likelihood": GaussianLikelihood()}
    student, teacher = (TiDEModel(L, H + more, hidden_size=4, **options) for more in (0, 2))
    losses = [OutputKD(), FeatureKD(), LikelihoodKD(), AutoregressiveKD(2)]
    DistilledModel(student, Teacher(teacher), losses, InverseError()).fit(walk(60), val_series=walk(40, seed=1))
    (windows, steps, fields), held_out = asked
    assert (windows, steps) == (60 - L - H + 1, H + 2) and held_out == (40 - L - H + 1, H, [])
    assert len(fields) == 2 and fields[0].startswith("features.") and fields[1] == "parameters"


def test_a_transformer_is_rolled_as_it_predicts_and_heard_as_it_is_trained() -> None:
    """Its training forward reads the labels, one step more in the decoder than it forecasts."""
    make = {"d_model": 8, "nhead": 2, "dim_feedforward": 8, "num_encoder_layers": 1, "num_decoder_layers": 1}
    teacher = Teacher(TiDEModel(L, H + 3, **COMMON), name="t").fit(SERIES)
    rolled = TransformerModel(L, H, dropout=0.0, **make, **(COMMON | {"optimizer_kwargs": {"lr": 0.0}}))
    pair = shown(Needs(ahead=3), rolled, teacher)[0]
    assert pair.ahead is not None and bool(pair.ahead[0].isfinite().all())
    heard = TransformerModel(L, H, **make, **COMMON)
    DistilledModel(heard, teacher, FeatureKD(student_layer="transformer.decoder")).fit(SERIES)
    assert heard.epochs_trained == 1


def test_features_of_folds_are_compared_by_relations_alone() -> None:
    def teacher() -> Teacher:
        return Teacher(TiDEModel(L, H, hidden_size=5, **COMMON), name="t", cross_fit=CrossFit(2, 40))

    long = walk(200, 1)
    with pytest.raises(ValueError, match=r"it is cross-fitted, and each fold has features of its own"):
        DistilledModel(TiDEModel(L, H, **COMMON), teacher(), FeatureKD()).fit(long)
    relation = FeatureKD(projector=None, loss=SampleRelation())
    assert DistilledModel(TiDEModel(L, H, **COMMON), teacher(), relation).fit(long).student.model is not None


def test_horizon_weights_go_on_where_a_teacher_begins() -> None:
    """A teacher of the last steps is weighed as the whole horizon is in them."""
    values = torch.arange(1.0, 1 + 2 * 6).reshape(2, 6, 1)
    zeros = torch.zeros_like(values)
    loss = HorizonWeighted(rate=2.0)
    whole = loss(StudentTeacherPair(values, zeros, zeros))
    late = loss(StudentTeacherPair(values[:, 4:], zeros[:, 4:], zeros[:, 4:], within=(4, 6)))
    torch.testing.assert_close(late, whole[:, 4:])


def test_what_comes_after_the_horizon_is_weighed_in_full() -> None:
    """Whatever part of the student's own horizon the teacher forecasts."""
    student, teacher = (ModelInterface("TiDEModel", steps) for steps in (range(1, 5), range(4, 7)))
    labels = torch.zeros(3, 4, 1)
    objective = Objective([AutoregressiveKD(2)], Uniform(), student, {"late": teacher}, labels)
    valid = torch.ones(1, 3, dtype=torch.bool)
    step = make_step(labels[None], valid, target=labels, covers=objective.covers)
    ahead = torch.full((3, 2, 1), 2.0)
    said = StudentOutput(labels, ahead=ahead, rolled=torch.tensor([True, True, False]))
    term = objective(said, step, [{"ahead": torch.zeros(3, 2, 1)}], None).term
    assert term is not None and term.item() == pytest.approx(2 * 4 / 3)


def test_losses_that_would_teach_nothing_are_refused_or_leave_the_labels_whole() -> None:
    series = walk(120, 1, dtype="float64")
    teacher = scripted_far(series)
    with pytest.raises(ValueError, match="every loss has weight 0"):
        DistilledModel(linear(), teacher, OutputKD(weight=0))
    with pytest.raises(ValueError, match=r"TeacherBounded.* reads labels, and features have none"):
        FeatureKD(loss=TeacherBounded())
    with pytest.raises(TypeError, match="student_layer must be the path of a layer"):
        FeatureKD(None)  # type: ignore[arg-type]
    inputs, labels = windows(series)
    student = linear()
    DistilledModel(student, teacher, OutlierRejection(threshold=1e9), balance=1.0).fit(series)
    assert np.abs(forecasts(student, series) - regression(inputs, labels)).max() < 1e-3


def scripted_far(series: TimeSeries) -> Scripted:
    return Scripted(descending(n_epochs=1).fit(series), lambda y, _: y + 100)


@pytest.mark.parametrize("loss_fn", [torch.nn.MSELoss(reduction="sum"), lambda a, b: (a - b).abs().mean()])
def test_labels_are_not_weighed_in_a_loss_that_is_no_mean(loss_fn: Any) -> None:
    series = walk(60, 1, dtype="float64")
    with pytest.raises(ValueError, match="no mean over labels"):
        DistilledModel(linear(loss_fn=loss_fn), scripted_far(series), OutlierRejection()).fit(series)


def test_a_divergence_known_for_equal_parameters_alone_is_refused() -> None:
    student, teacher = (TiDEModel(L, H, likelihood=WeibullLikelihood(), **COMMON) for _ in range(2))
    with pytest.raises(ValueError, match="has no closed form"):
        DistilledModel(student, Teacher(teacher, name="t"), LikelihoodKD()).fit(walk(60, 1, name="y").map(np.exp))
    assert student.model is None


def test_the_loaders_batch_size_counts() -> None:
    student, teacher = TiDEModel(L, H, **COMMON), Teacher(TiDEModel(L, H, **COMMON), name="t")
    with pytest.raises(ValueError, match="give a batch_size of 3 or more"):
        DistilledModel(student, teacher, SampleRelation()).fit(SERIES, dataloader_kwargs={"batch_size": 2})


def test_projectors_step_unscaled_and_not_where_a_gradient_is_infinite() -> None:
    parameter = torch.nn.Parameter(torch.tensor([1.0]))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    parameter.grad = torch.tensor([1024.0])
    step_by_hand(optimizer, 2048.0)
    assert parameter.item() == 0.5 and parameter.grad is None
    parameter.grad = torch.tensor([torch.inf])
    step_by_hand(optimizer, 2048.0)
    assert parameter.item() == 0.5 and parameter.grad is None


def resumable(name: str, folder: Path, dtype: str, **options: Any) -> Any:
    quiet = {k: v for k, v in QUIET.items() if k != "enable_checkpointing"}
    kept = {"model_name": name, "work_dir": str(folder), "save_checkpoints": True, "force_reset": True}
    return TiDEModel(L, H, hidden_size=3, **kept, **(COMMON | {"pl_trainer_kwargs": quiet} | options))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_projectors_go_on_where_they_were(dtype: str, tmp_path: Path) -> None:
    series = walk(60, 1, dtype=dtype)
    teacher = Teacher(TiDEModel(L, H, hidden_size=5, **COMMON)).fit(series)
    losses = [OutputKD(), FeatureKD()]
    DistilledModel(resumable("first", tmp_path, dtype), teacher, losses).fit(series)
    (path,) = (tmp_path / "first" / "checkpoints").glob("last*.ckpt")
    kept = torch.load(path, weights_only=False)["distillation"]["state_dict"]
    again = TiDEModel.load_from_checkpoint("first", work_dir=str(tmp_path), best=False)
    seen: dict[str, Tensor] = {}

    class Watch(pl.Callback):
        def on_train_batch_start(self, trainer: Any, module: Any, *_: Any) -> None:
            if not seen:
                seen.update({n: v.clone() for n, v in module.objective.state_dict().items()})
                state = next(iter(module._own_optimizer.state.values()))
                seen["moments"] = state["exp_avg"].clone()

    again.trainer_params["callbacks"] = [*again.trainer_params["callbacks"], Watch()]
    DistilledModel(again, teacher, losses).fit(series, epochs=2)
    moments = seen.pop("moments")
    assert moments.dtype is getattr(torch, dtype) and bool(moments.abs().sum() > 0)
    assert any("regressor" in name for name in seen)
    assert all(torch.equal(value, kept[f"objective.{name}"]) for name, value in seen.items())


def test_a_checkpoint_gives_back_no_statistics_of_other_windows_and_no_other_loss(tmp_path: Path) -> None:
    series = walk(60, 1)
    teacher = Teacher(TiDEModel(L, H, hidden_size=5, **COMMON)).fit(series)
    DistilledModel(resumable("first", tmp_path, "float32"), teacher, [OutlierRejection(), FeatureKD()]).fit(series)
    again = TiDEModel.load_from_checkpoint("first", work_dir=str(tmp_path), best=False)
    limits: list[Tensor] = []

    class Watch(pl.Callback):
        def on_train_start(self, trainer: Any, module: Any) -> None:
            limits.extend(v.clone() for n, v in module.objective.state_dict().items() if n.endswith("limit"))

    again.trainer_params["callbacks"] = [*again.trainer_params["callbacks"], Watch()]
    other = walk(60, 1, seed=9).map(lambda v: 100 * v)
    far = Teacher(TiDEModel(L, H, hidden_size=5, **COMMON)).fit(other)
    losses = [FeatureKD(projector="mlp"), OutlierRejection()]
    DistilledModel(again, far, losses).fit(other, epochs=2)
    # a hundred times those of the first fit, which are below 3
    assert len(limits) == 1 and float(limits[0].min()) > 10
