"""Every loss with every kind of student and teacher: either it trains, or it is refused with a reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from darts.models import (
    BlockRNNModel,
    Chronos2Model,
    DLinearModel,
    NHiTSModel,
    TCNModel,
    TFTModel,
    TiDEModel,
    TSMixerModel,
)
from darts.utils.likelihood_models import GaussianLikelihood, QuantileRegression

from tests.helpers.models import fast, tiny_chronos
from tests.helpers.series import QUIET, walk
from tskd import DistilledModel, Teacher, losses
from tskd.losses import (
    AttentionTransfer,
    AttentiveImitation,
    AutoregressiveKD,
    ChannelRelation,
    FeatureKD,
    HorizonWeighted,
    LevelShapeKD,
    LikelihoodKD,
    LossTerm,
    MultiPeriodKD,
    MultiScaleKD,
    OutlierRejection,
    OutputKD,
    QuantileKD,
    SampleRelation,
    TeacherBounded,
    TemporalRelation,
)

SERIES = [walk(34, 2), walk(26, 2, seed=3)]
L, H, AHEAD = 8, 4, 4
COMMON: dict[str, Any] = fast(batch_size=16)


def dlinear(horizon: int, **kwargs: Any) -> Any:
    return DLinearModel(L, horizon, **COMMON, **kwargs)


def tide(horizon: int, **kwargs: Any) -> Any:
    return TiDEModel(L, horizon, hidden_size=6, decoder_output_dim=2, temporal_decoder_hidden=4, **COMMON, **kwargs)


def tsmixer(horizon: int, **kwargs: Any) -> Any:
    return TSMixerModel(L, horizon, hidden_size=6, ff_size=6, num_blocks=1, **COMMON, **kwargs)


def nhits(horizon: int, **kwargs: Any) -> Any:
    return NHiTSModel(L, horizon, num_stacks=2, num_layers=1, layer_widths=6, **COMMON, **kwargs)


def block_rnn(horizon: int, **kwargs: Any) -> Any:
    return BlockRNNModel(L, horizon, hidden_dim=6, **COMMON, **kwargs)


def tcn(horizon: int, **kwargs: Any) -> Any:
    return TCNModel(L, horizon, num_filters=3, **COMMON, **kwargs)


def tft(horizon: int, **kwargs: Any) -> Any:
    return TFTModel(
        L,
        horizon,
        hidden_size=4,
        num_attention_heads=1,
        add_relative_index=True,
        **({"likelihood": None} | COMMON | kwargs),
    )


STUDENTS = {make.__name__: make for make in (dlinear, tide, tsmixer, nhits, block_rnn, tcn, tft)}
TEACHERS = ("tide", "tsmixer", "tft", "chronos")
ON_POINTS: list[LossTerm] = [
    OutputKD(),
    TeacherBounded(),
    AttentiveImitation(),
    OutlierRejection(threshold=0.3),
    HorizonWeighted(rate=1.0),
    MultiScaleKD(scales=2),
    MultiPeriodKD(),
    LevelShapeKD(level=0.5),
    AutoregressiveKD(AHEAD),
    SampleRelation("distance"),
    TemporalRelation(),
    ChannelRelation(),
]
ON_FEATURES: list[LossTerm] = [
    FeatureKD(),
    FeatureKD(projector=None, loss=SampleRelation("similarity")),
    AttentionTransfer(),
]
ON_DISTRIBUTIONS: list[LossTerm] = [LikelihoodKD(), QuantileKD()]
LIKELIHOODS: dict[str, Callable[[], Any]] = {
    "gaussian": GaussianLikelihood,
    "quantiles": lambda: QuantileRegression([0.1, 0.5, 0.9]),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tiny Chronos-2 lies."""
    place = tmp_path_factory.mktemp("foundation") / "chronos"
    tiny_chronos(place)
    return place


@cache
def fitted(kind: str, likelihood: str | None, folder: Path) -> Teacher:
    if kind == "chronos":
        pytest.importorskip("huggingface_hub", reason="the extra `foundation` is not installed")
        model = Chronos2Model(
            L,
            H + AHEAD,
            local_dir=str(folder),
            random_state=0,
            pl_trainer_kwargs=QUIET,
            likelihood=None if likelihood is None else LIKELIHOODS[likelihood](),
        )
    else:
        options = {} if likelihood is None else {"likelihood": LIKELIHOODS[likelihood]()}
        model = STUDENTS[kind](H + AHEAD, **options)
    return Teacher(model, name=kind).fit(SERIES)


def refusal(student: str, teacher: str, loss: LossTerm) -> str | None:
    """Why a loss is not defined between two models of point forecasts, as the message says it; None if it is."""
    if loss.needs.layers is None:
        return None
    if student == "dlinear":
        return r"the student, a DLinearModel, has no hidden .* There are, .*linear_seasonal \[8\], linear_trend \[8\]"
    if not isinstance(loss, AttentionTransfer):
        return None
    flat = {"tide": r"\(6,\)", "nhits": r"\(6,\)"}
    if student in flat:
        return rf"needs a layer with positions; the student's gives {flat[student]}"
    return r"needs a layer with positions; the teacher's gives \(6,\)" if teacher in flat else None


def trained_otherwise(student: Any, plain: Any) -> bool:
    mine, theirs = student.model.state_dict(), plain.model.state_dict()
    assert all(bool(value.isfinite().all()) for value in mine.values())
    return any(not torch.equal(mine[name], theirs[name]) for name in mine)


@cache
def plain(kind: str, likelihood: str | None = None) -> Any:
    options = {} if likelihood is None else {"likelihood": LIKELIHOODS[likelihood]()}
    return STUDENTS[kind](H, **options).fit(SERIES)


def test_every_loss_is_here() -> None:
    abstract = {"DistillationLoss", "LabelWeighting", "LossTerm"}
    public = {getattr(losses, name) for name in losses.__all__ if name not in abstract}
    named = {kind for kind in public if isinstance(kind, type) and issubclass(kind, LossTerm)}
    assert named == {type(loss) for loss in ON_POINTS + ON_FEATURES + ON_DISTRIBUTIONS}


@pytest.mark.parametrize("teacher", TEACHERS)
@pytest.mark.parametrize("student", STUDENTS)
@pytest.mark.parametrize("loss", ON_POINTS + ON_FEATURES, ids=str)
def test_a_loss_trains_a_student_or_is_refused_before_any_training(
    student: str, teacher: str, loss: LossTerm, folder: Path
) -> None:
    reason = refusal(student, teacher, loss)
    learner = STUDENTS[student](H)
    model = DistilledModel(learner, fitted(teacher, None, folder), loss)
    if reason is not None:
        with pytest.raises(ValueError, match=reason) as caught:
            model.fit(SERIES)
        assert re.match(re.escape(f"{loss!r}, teacher {teacher!r}: "), str(caught.value))
        assert learner.model is None
        return
    model.fit(SERIES)
    assert trained_otherwise(learner, plain(student))
    assert len(model.predict(H + 2, SERIES[0])) == H + 2
    assert not any("objective" in name or "regressor" in name for name in learner.model.state_dict())


@pytest.mark.parametrize("teacher", TEACHERS)
@pytest.mark.parametrize("student", STUDENTS)
@pytest.mark.parametrize(("loss", "likelihood"), [(LikelihoodKD(), "gaussian"), (QuantileKD(), "quantiles")], ids=str)
def test_a_distribution_is_matched_where_both_forecast_one(
    student: str, teacher: str, loss: LossTerm, likelihood: str, folder: Path
) -> None:
    if teacher == "chronos" and likelihood == "gaussian":
        with pytest.raises(ValueError, match="QuantileRegression"):
            fitted(teacher, likelihood, folder)
        return
    learner = STUDENTS[student](H, likelihood=LIKELIHOODS[likelihood]())
    DistilledModel(learner, fitted(teacher, likelihood, folder), loss).fit(SERIES)
    assert trained_otherwise(learner, plain(student, likelihood))


@pytest.mark.parametrize("loss", ON_DISTRIBUTIONS, ids=str)
def test_a_distribution_is_refused_where_one_forecasts_points(loss: LossTerm, folder: Path) -> None:
    points, quantiles, gaussian = (fitted("tide", name, folder) for name in (None, "quantiles", "gaussian"))
    with pytest.raises(ValueError, match="the student, a TiDEModel, forecasts points: give it a likelihood"):
        DistilledModel(tide(H), quantiles, loss).fit(SERIES)
    with pytest.raises(ValueError, match="the teacher, a TiDEModel, forecasts points: give it a likelihood"):
        DistilledModel(tide(H, likelihood=GaussianLikelihood()), points, loss).fit(SERIES)
    with pytest.raises(ValueError, match=r"use QuantileKD|use LikelihoodKD"):
        DistilledModel(
            tide(H, likelihood=GaussianLikelihood()), quantiles if loss is ON_DISTRIBUTIONS[0] else gaussian, loss
        ).fit(SERIES)


def test_a_teacher_that_is_no_network_has_no_layers() -> None:
    from darts.models import LinearRegressionModel

    trees = Teacher(LinearRegressionModel(lags=L, output_chunk_length=H), name="linear")
    with pytest.raises(ValueError, match="a LinearRegressionModel, is no network and has no hidden layers"):
        DistilledModel(tide(H), trees, FeatureKD()).fit(SERIES)
    with pytest.raises(
        ValueError, match="a LinearRegressionModel, is no network: distributions of networks alone can be compared"
    ):
        DistilledModel(tide(H, likelihood=GaussianLikelihood()), trees, LikelihoodKD()).fit(SERIES)
    assert not trees.fitted


def test_a_misspelt_layer_is_refused_with_the_nearest(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"a TSMixerModel, has no layer 'fc_hists'; did you mean 'fc_hist'"):
        DistilledModel(tsmixer(H), fitted("tide", None, folder), FeatureKD(student_layer="fc_hists")).fit(SERIES)


def test_a_teacher_with_a_short_horizon_cannot_say_what_comes_after(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"it forecasts 8 steps, and 5 more .* give it an output_chunk_length of 9"):
        DistilledModel(tide(H), fitted("tide", None, folder), AutoregressiveKD(5)).fit(SERIES)
    with pytest.raises(ValueError, match="output_chunk_shift cannot be rolled"):
        DistilledModel(tide(H, output_chunk_shift=2), fitted("tide", None, folder), AutoregressiveKD(1)).fit(SERIES)


@pytest.mark.parametrize("batch_size", [1, 2])
def test_windows_are_not_related_in_batches_that_are_too_small(batch_size: int, folder: Path) -> None:
    learner = tide(H)
    learner.batch_size = batch_size
    with pytest.raises(ValueError, match="give a batch_size of 3 or more"):
        DistilledModel(learner, fitted("tide", None, folder), SampleRelation()).fit(SERIES)
