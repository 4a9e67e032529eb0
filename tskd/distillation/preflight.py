"""The preparation of a fit: checks of data and models, so that errors are raised before any training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import torch
from torch import Tensor

from tskd._core.components import Orders, check_components
from tskd._core.coverage import check_long_enough, check_windows
from tskd._core.darts.capabilities import check_weighable_labels, label_steps, window_span
from tskd._core.darts.monitors import check_monitored
from tskd._core.model_inputs import ModelInputs
from tskd._core.rng import isolated_randomness
from tskd._core.series import SeriesBundle, as_list, check_not_alone, has_gaps
from tskd._core.static_covariates import check_static
from tskd._core.window_keys import WindowSampling, training_keys, unique
from tskd._core.windows import Windows
from tskd.distillation.fit_options import FitOptions
from tskd.distillation.model_interface import ModelInterface, Probing, student_interface, teacher_interface
from tskd.distillation.objective import Objective
from tskd.distillation.recipe import Recipe
from tskd.losses import LabelWeighting
from tskd.teachers.base import BaseTeacher
from tskd.teachers.predictor import TeacherPredictor

# windows in a probe of the losses, unless a batch has fewer
PROBED = 4


@dataclass(frozen=True, eq=False)
class TeacherInFit:
    """A teacher with its inputs in one fit.

    Attributes:
        teacher: fitted or not.
        inputs: of the training part; with keys if it is to be fitted.
        validation: inputs of the validation part; None if there is none, or it lacks series that the teacher reads.
        predictor: for the training part, if the teacher is fitted.
    """

    teacher: BaseTeacher
    inputs: ModelInputs
    validation: ModelInputs | None
    predictor: TeacherPredictor | None = None

    def fit(self, options: FitOptions, targets: Sequence[Any]) -> tuple[BaseTeacher, TeacherPredictor]:
        """The fitted teacher, and its predictor for the training part, whose target series are passed."""
        if self.predictor is not None:
            return self.teacher, self.predictor
        inputs, arguments = self._fit(options)
        fitted = self.teacher.fit_on(*inputs, **arguments)
        return fitted, fitted.predictor_on(self.inputs, targets)

    def check_fit(self, options: FitOptions) -> None:
        """Raise what the fit of the teacher would raise before its first step."""
        inputs, arguments = self._fit(options)
        self.teacher.check_fit_on(*inputs, **arguments)

    def _fit(self, options: FitOptions) -> tuple[tuple[ModelInputs, ModelInputs | None], dict[str, Any]]:
        rows = {**options.sampling.arguments(), "sample_weight": options.sample_weight, "verbose": options.verbose}
        return (self.inputs, self.validation if self.teacher.is_network else None), rows


@dataclass(frozen=True, eq=False)
class PreparedFit:
    """The checked data and models of a fit.

    Attributes:
        recipe, options: of the fit.
        train: the checked series of the training part.
        student: the student's inputs of the training part.
        validation: the student's inputs of the validation part, or None.
        teachers: with their inputs.
        interfaces: of student and teachers.
        like: a tensor in the shape of the labels of a few windows `[B, H, C]`.
        trust: in each teacher, beside its weight; None if it is the same in all.
    """

    recipe: Recipe
    options: FitOptions
    train: SeriesBundle
    student: ModelInputs
    validation: ModelInputs | None
    teachers: Sequence[TeacherInFit]
    interfaces: tuple[ModelInterface, Sequence[ModelInterface]]
    like: Tensor
    trust: Sequence[float] | None = None

    def objective(self) -> Objective:
        """A new objective, untrained."""
        student, teachers = self.interfaces
        named = dict(zip(self.recipe.names, teachers, strict=True))
        objective = Objective(self.recipe.losses, self.recipe.weighting, student, named, self.like)
        objective.weighting.set_trust(self.trust)
        return objective

    def fit_arguments(self) -> dict[str, Any]:
        """The arguments of the student's own `fit`."""
        options = self.options
        return {
            **self.student.arguments(),
            **({} if self.validation is None else self.validation.arguments("val_")),
            **options.sampling.arguments(),
            "sample_weight": options.sample_weight,
            "val_sample_weight": options.val_sample_weight,
            "trainer": options.trainer,
            "epochs": options.epochs,
            # darts removes entries from it
            "dataloader_kwargs": None if options.dataloader_kwargs is None else dict(options.dataloader_kwargs),
            "load_best": options.load_best,
            "verbose": options.verbose,
        }


def prepare(
    recipe: Recipe,
    train: SeriesBundle,
    validation: SeriesBundle | None,
    options: FitOptions,
    expected: Mapping[str, Orders],
) -> PreparedFit:
    """Check the data and models of a fit.

    Args:
        train, validation: the two parts of the data, each of them checked.
        expected: orders of component names of the student's inputs, by slot, if it was fitted before.

    Raises:
        TypeError, ValueError: the data cannot be used, or do not fit the recipe.
    """
    student = _student_inputs(recipe, train, options, options.sample_weight, expected)
    held_out = None
    if validation is not None:
        validation.check_components_of(train)
        held_out = _student_inputs(recipe, validation, options, options.val_sample_weight, expected)
        if recipe.student.considers_static_covariates:
            check_static(held_out.series, "val_series", "student", student.series[0].static_covariates)
    else:
        check_monitored(recipe.student, options.trainer, "student", "val_series")
        check_not_alone(val_sample_weight=options.val_sample_weight)
    weighting = recipe.weighting
    calibrated = weighting.needs.calibration and all(_validates(validation, one) for one in recipe.teachers)
    ahead = max((loss.needs.ahead for loss in recipe.losses), default=0)
    steps = range(recipe.horizon[0], recipe.horizon[-1] + 1 + ahead)
    teachers = [
        # a fitted teacher forecasts the validation part only if the weighting is calibrated on it
        _in_fit(one.answering(steps), train, None if one.fitted and not calibrated else validation, options.sampling)
        for one in recipe.teachers
    ]
    if weighting.needs.validation and recipe.teachers and validation is None:
        raise ValueError(f"{weighting!r} learns from a validation part: give val_series")
    if any(isinstance(loss, LabelWeighting) for loss in recipe.losses):
        check_weighable_labels(recipe.student, "student")
    if not any(teacher.fills_past for teacher in recipe.teachers):
        _check_some_window(recipe, student, alone=not recipe.teachers)
        if held_out is not None:
            _check_some_window(recipe, held_out, alone=True, part="validation ")
    inside = any(loss.needs.layers or loss.needs.likelihood for loss in recipe.losses)
    probing = Probing(options.sampling, inside, bool(recipe.teachers) and weighting.needs.gram == "head")
    with isolated_randomness():
        own = student_interface(recipe.student, student, probing, recipe.soft_sensor)
        if probing.heads and not own.heads:
            raise ValueError(
                f"{weighting!r} asks for gradients of the student's last linear layer, and a {own.kind} has none "
                "that is trained and leads to its forecast"
            )
        interfaces = [teacher_interface(one.teacher, one.inputs, probing) for one in teachers]
        like = _like(recipe, student, options)
        prepared = PreparedFit(recipe, options, train, student, held_out, teachers, (own, interfaces), like)
        prepared.objective().check_aspects_used()
    return prepared


def _student_inputs(
    recipe: Recipe, data: SeriesBundle, options: FitOptions, sample_weight: Any, expected: Mapping[str, Orders]
) -> ModelInputs:
    """Check and build the student's inputs of one part; its series must cover every window."""
    student, arguments = recipe.student, data.deployable
    whose = "soft sensor" if recipe.soft_sensor else "student"
    for what, components in expected.items():
        check_components(arguments[what], components, f"{data.prefix}{what}")
    without = data.past_covariates is None and data.future_covariates is None
    if recipe.soft_sensor and without and not student.model_params.get("add_encoders"):
        raise ValueError("a soft sensor sees covariates alone: give past_covariates or future_covariates")
    if student.considers_static_covariates:
        check_static(data.series, f"{data.prefix}series", "student")
    check_long_enough(data.series, window_span(student), f"{data.prefix}series", whose)
    lookback = student.input_chunk_length
    keys = training_keys([len(target) for target in data.series], window_span(student), options.sampling)
    options.check_batches(len(keys), "validation " if data.prefix else "")
    weights = None
    if not isinstance(sample_weight, str):
        weights = as_list(sample_weight, f"{data.prefix}sample_weight", len(data.series), complete=True)
    check_windows(data, keys, lookback, label_steps(student), whose, weights)
    visible = {}
    if recipe.soft_sensor:
        hidden = torch.zeros(lookback, data.series[0].n_components, dtype=torch.bool)
        visible = {"past_target": hidden}
    return ModelInputs(data.series, data.past_covariates, data.future_covariates, visible, keys)


def _check_some_window(recipe: Recipe, inputs: ModelInputs, alone: bool, part: str = "") -> None:
    """Raise a ValueError if values are so missing that no window can be used.

    Args:
        inputs: the student's, of one part.
        alone: whether a window needs a label; else a teacher may do.
        part: of the data, for messages.
    """
    series = [one for items in inputs.arguments().values() for one in items or []]
    if not any(map(has_gaps, series)):
        return
    assert inputs.keys is not None
    if any(map(has_gaps, inputs.series)):
        check_weighable_labels(recipe.student, "student", missing=True)
    windows = Windows.of(inputs, window_span(recipe.student))
    complete, labelled = windows.covers(inputs.keys), windows.has_labels(inputs.keys)
    if not bool((complete & (labelled | (not alone))).any()):
        raise ValueError(
            f"no {part}window can be used: of {len(complete)}, {int((~complete).sum())} lack inputs of the student"
            + (f", and {int((complete & ~labelled).sum())} more have no label" if alone else "")
        )


def _in_fit(
    teacher: BaseTeacher, train: SeriesBundle, validation: SeriesBundle | None, sampling: WindowSampling
) -> TeacherInFit:
    """A teacher with its inputs of both parts, and its predictor if it is fitted."""
    held_out = None
    fitted = None if teacher.fitted else sampling
    inputs = teacher.inputs_on(train, fitted)
    if _validates(validation, teacher):
        held_out = teacher.inputs_on(validation, fitted)
    predictor = teacher.predictor_on(inputs, train.series) if teacher.fitted else None
    return TeacherInFit(teacher, inputs, held_out, predictor)


def _validates(validation: SeriesBundle | None, teacher: BaseTeacher) -> TypeGuard[SeriesBundle]:
    """Whether a validation part has the series that a teacher reads."""
    return validation is not None and (validation.privileged is not None or not teacher.names)


def _like(recipe: Recipe, student: ModelInputs, options: FitOptions) -> Tensor:
    """Zeros in the shape and dtype of the labels of a few windows, no more than a batch has."""
    assert student.keys is not None
    batch = (options.dataloader_kwargs or {}).get("batch_size") or recipe.student.batch_size
    first = student.series[0]
    dtype = torch.from_numpy(first.values(copy=False)[:0]).dtype
    return torch.zeros(
        min(PROBED, len(unique(student.keys)), batch), len(recipe.horizon), first.n_components, dtype=dtype
    )
