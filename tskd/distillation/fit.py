"""One fit: check the data, fit the teachers that need it, ask them all, train the student."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import torch
from darts import TimeSeries
from torch import Tensor

from tskd._core.darts.capabilities import check_weighable_labels, horizon_of, shared_steps
from tskd._core.darts.dataset import datasets_of, training_windows
from tskd._core.darts.dataset import train as train_on
from tskd._core.darts.fit import fit_through, forget_target
from tskd._core.darts.forward import roll_starts
from tskd._core.darts.inspect import label_steps
from tskd._core.rng import isolated_randomness
from tskd._core.series import as_list, as_privileged, check_same_components, check_windows, components_of
from tskd._core.window_keys import encode, training_keys, unique
from tskd._core.windows import Windows
from tskd.distillation.batches import DistillationData
from tskd.distillation.history import Hours
from tskd.distillation.linear_probe import MOST
from tskd.distillation.model_interface import ModelInterface, student_interface, teacher_interface
from tskd.distillation.module import Distillation
from tskd.distillation.objective import Objective
from tskd.losses import LabelWeighting
from tskd.teachers.output_cache import OutputCache
from tskd.teachers.outputs import TeacherOutputs, collect
from tskd.teachers.predictor import TeacherPredictor
from tskd.teachers.teacher import Teacher

if TYPE_CHECKING:
    from tskd.distillation.model import DistilledModel

logger = logging.getLogger(__name__)
# windows in a probe of the losses, unless a batch has fewer
PROBED = 4


@dataclass(frozen=True)
class Data:
    """Checked series of one part, training or validation.

    Attributes:
        given: `series`, `past_covariates`, `future_covariates`: lists, or None.
        privileged: series by name; None if there are none for a validation part.
    """

    given: dict[str, Any]
    privileged: dict[str, list[TimeSeries]] | None

    def check_same_components(self, train: Data) -> None:
        """Raise a ValueError where this validation part has other components than the training part."""
        expected = components_of(**train.given) | {f"privileged[{k!r}]": v for k, v in _components(train).items()}
        found = {**self.given, **{f"privileged[{name!r}]": items for name, items in (self.privileged or {}).items()}}
        for what, items in found.items():
            check_same_components(items, expected.get(what), f"val_{what}")

    def of(self, teacher: Teacher) -> dict[str, list[TimeSeries]]:
        """What this teacher's sources read."""
        return {name: (self.privileged or {})[name] for name in teacher.names}


def _components(data: Data) -> dict[str, list[str]]:
    return components_of(**(data.privileged or {}))


def checked(
    model: DistilledModel,
    series: Any,
    past_covariates: Any,
    future_covariates: Any,
    privileged: Mapping[str, Any] | None,
    sample_weight: Any,
    rows: Mapping[str, Any],
    prefix: str = "",
) -> Data:
    """The data of one part, if every window of the student has its inputs.

    Args:
        rows: darts' `stride` and `max_samples_per_ts`.
        prefix: `"val_"` for the validation part.
    """
    targets = as_list(series, f"{prefix}series")
    if not targets:
        raise ValueError(f"{prefix}series is empty")
    given = {
        "series": targets,
        "past_covariates": as_list(past_covariates, f"{prefix}past_covariates", len(targets)),
        "future_covariates": as_list(future_covariates, f"{prefix}future_covariates", len(targets)),
    }
    for what, expected in model.components.items():
        check_same_components(given[what], expected, f"{prefix}{what}")
    without = given["past_covariates"] is None and given["future_covariates"] is None
    if model.soft_sensor and without and not model.student.model_params.get("add_encoders"):
        raise ValueError("a soft sensor sees covariates alone: give past_covariates or future_covariates")
    steps, lookback = horizon_of(model.student), model.student.input_chunk_length
    keys = training_keys([len(target) for target in targets], lookback, len(steps), steps[0] - 1, **rows)
    weights = None
    if not isinstance(sample_weight, str):
        weights = as_list(sample_weight, f"{prefix}sample_weight", len(targets))
    labels = label_steps(model.student)
    check_windows({**given, "sample_weight": weights}, keys, lookback, labels, prefix)
    if prefix and privileged is None:
        return Data(given, None)
    names = list(dict.fromkeys(name for teacher in model.teachers for name in teacher.names))
    return Data(given, as_privileged(privileged, names, len(targets), f"{prefix}privileged"))


def fit(
    model: DistilledModel,
    train: Data,
    held_out: Data | None,
    rows: Mapping[str, Any],
    cache: Path | None,
    verbose: bool | None,
    **fit_kwargs: Any,
) -> tuple[Teacher, ...]:
    """Train the model's student; returns its teachers, all fitted.

    Args:
        rows: darts' `stride`, `max_samples_per_ts` and `sample_weight`, for teachers and student alike.
        cache: folder for what the teachers say.
        fit_kwargs: darts', for the student alone.
    """
    shown = _check_before_training(model, train, held_out, rows, fit_kwargs)
    with isolated_randomness():
        teachers = tuple(_fitted(teacher, train, held_out, verbose, rows) for teacher in model.teachers)
        asked = [teacher.ask(**train.given, privileged=train.of(teacher)) for teacher in teachers]
    calibrates = _judges(model, teachers, held_out)
    names = [teacher.name for teacher in teachers]
    store = OutputCache(cache)
    visible = _visible(model, train.given["series"][0].n_components)

    def run(trainer: Any, network: Any, data: Any, checkpoint: str | None) -> None:
        found, found_val = datasets_of(data)
        with isolated_randomness():
            keys, windows = training_windows(found, visible)
            objective = _objective(model, train, rows, shown, _batch_size(fit_kwargs))
            ahead, extra = objective.ahead, [objective.extra(number) for number in range(len(teachers))]
            knowledge = _ask(model, teachers, asked, windows, keys, store, ahead, extra, progress=verbose is not False)
            starts = roll_starts(len(horizon_of(model.student)), ahead)
            sets = [DistillationData(keys, windows, knowledge, starts, model.weighting.needs.spread)]
            for teacher in objective.learns_from():
                objective.fit_statistics(teacher, sets[0].known(teacher))
            for teacher, field in objective.probes_teachers():
                objective.fit_linear_probe(teacher, field, sets[0].features(teacher, field, MOST))
            if found_val is not None:
                keys, windows = training_windows(found_val, visible)
                # no loss compares anything there
                said = _ask(model, *calibrates, windows, keys, store)
                sets.append(DistillationData(keys, windows, said))
            weighting, calibration = model.weighting, None
            if names and (weighting.needs.calibration or weighting.needs.meta_step_every):
                # windows for a rehearsal need no teacher
                held_out_too = bool(calibrates[0]) or weighting.needs.validation
                calibration = (sets[1] if held_out_too else sets[0], held_out_too)
            hours = Hours.of(train.given["series"])
            module = Distillation(network, objective, model.balance, names, calibration, model.told, hours)
            module.calibrate()
            model.told.begin()
        train_on(trainer, module, data, sets, checkpoint)

    validation = {} if held_out is None else {f"val_{name}": value for name, value in held_out.given.items()}
    fit_through(model.student, run, **train.given, **validation, **rows, verbose=verbose, **fit_kwargs)
    model.told.end()
    if model.soft_sensor:
        forget_target(model.student)
    return teachers


def _judges(
    model: DistilledModel, teachers: Sequence[Teacher], held_out: Data | None
) -> tuple[Sequence[Teacher], Sequence[TeacherPredictor]]:
    """The teachers in front of the validation part, if the weighting judges them by it and it has what they read."""
    if not model.weighting.needs.calibration or held_out is None:
        return (), ()
    if not all(_validates(held_out, teacher) for teacher in teachers):
        logger.info("val_privileged is not given: teachers are judged by the windows of the training part")
        return (), ()
    with isolated_randomness():
        return teachers, [teacher.ask(**held_out.given, privileged=held_out.of(teacher)) for teacher in teachers]


def _check_before_training(
    model: DistilledModel,
    train: Data,
    held_out: Data | None,
    rows: Mapping[str, Any],
    fit_kwargs: Mapping[str, Any],
) -> list[ModelInterface]:
    """Everything that would go wrong after a teacher has been trained, before any is.

    Returns:
        What the student shows, and what each teacher does.
    """
    windows = {name: rows[name] for name in ("stride", "max_samples_per_ts")}
    if "collate_fn" in (fit_kwargs.get("dataloader_kwargs") or {}):
        raise ValueError("dataloader_kwargs['collate_fn'] is not supported: batches are gathered, not collated")
    for teacher in model.teachers:
        if teacher.fitted:
            teacher.ask(**train.given, privileged=train.of(teacher))
            continue
        teacher.check_usable(windows, **train.given, privileged=train.of(teacher))
        if _validates(held_out, teacher):
            teacher.check_usable(windows, "val_privileged", **held_out.given, privileged=held_out.of(teacher))
    if model.weighting.needs.validation and model.teachers and held_out is None:
        raise ValueError(f"{model.weighting!r} learns from a validation part: give val_series")
    if any(isinstance(loss, LabelWeighting) for loss in model.losses):
        check_weighable_labels(model.student)
    inside = any(loss.needs.layers or loss.needs.likelihood for loss in model.losses)
    with isolated_randomness():
        shown = [
            _student_shows(model, train, windows, inside),
            *(
                teacher_interface(teacher, train.given, train.of(teacher), windows, inside)
                for teacher in model.teachers
            ),
        ]
        _objective(model, train, rows, shown, _batch_size(fit_kwargs)).check_not_idle()
    return shown


def _student_shows(model: DistilledModel, train: Data, windows: Mapping[str, Any], inside: bool) -> ModelInterface:
    heads = bool(model.teachers) and model.weighting.needs.gram == "head"
    shown = student_interface(model.student, train.given, windows, model.soft_sensor, inside, heads)
    if heads and not shown.heads:
        raise ValueError(
            f"{model.weighting!r} asks for gradients of the student's last linear layer, and a {shown.kind} has none "
            "that is trained and leads to its forecast"
        )
    return shown


def _batch_size(fit_kwargs: Mapping[str, Any]) -> int | None:
    """What the user's loaders have, if not the student's own."""
    return (fit_kwargs.get("dataloader_kwargs") or {}).get("batch_size")


def _objective(
    model: DistilledModel, train: Data, rows: Mapping[str, Any], shown: Sequence[ModelInterface], batch_size: int | None
) -> Objective:
    objective = Objective(model.losses, [teacher.name for teacher in model.teachers], model.weighting)
    student, targets = model.student, train.given["series"]
    steps = horizon_of(student)
    windows = {name: rows[name] for name in ("stride", "max_samples_per_ts")}
    keys = training_keys([len(t) for t in targets], student.input_chunk_length, len(steps), steps[0] - 1, **windows)
    batch = min(PROBED, len(unique(keys)), batch_size or student.batch_size)
    dtype = torch.from_numpy(targets[0].values(copy=False)[:0]).dtype
    objective.set_up(shown[0], shown[1:], torch.zeros(batch, len(steps), targets[0].n_components, dtype=dtype))
    return objective


def _validates(held_out: Data | None, teacher: Teacher) -> TypeGuard[Data]:
    """Whether a validation part has what the teacher's sources read."""
    return held_out is not None and (held_out.privileged is not None or not teacher.names)


def _fitted(
    teacher: Teacher, train: Data, held_out: Data | None, verbose: bool | None, rows: Mapping[str, Any]
) -> Teacher:
    if teacher.fitted:
        return teacher
    validation: dict[str, Any] = {}
    if _validates(held_out, teacher):
        validation = {f"val_{name}": value for name, value in held_out.given.items()}
        validation["val_privileged"] = held_out.of(teacher)
    return teacher.fit(**train.given, privileged=train.of(teacher), **validation, **rows, verbose=verbose)


def _ask(
    model: DistilledModel,
    teachers: Sequence[Teacher],
    asked: Sequence[TeacherPredictor],
    windows: Windows,
    keys: Tensor,
    store: OutputCache,
    ahead: int = 0,
    extra: Sequence[Sequence[str]] | None = None,
    *,
    progress: bool = False,
) -> TeacherOutputs:
    """What the teachers say of the windows `keys [M, 2]`.

    Args:
        ahead: steps past the student's horizon that are wanted.
        extra: of each teacher, the fields that are wanted beside its forecasts; None for no others.
    """
    extra = [()] * len(teachers) if extra is None else extra
    steps = horizon_of(model.student)
    like = windows.gather(keys[:1])["future_target"][:, -len(steps) :]
    wanted = unique(keys)
    found = []
    spans = [shared_steps(steps, teacher.horizon) for teacher in teachers]
    for teacher, one, span, fields in zip(teachers, asked, spans, extra, strict=True):
        first = steps[0] + span.start - teacher.horizon[0]
        part = slice(first, first + span.stop - span.start + ahead)
        found.append(collect(teacher.name, one, wanted, part, like.dtype, store, fields, progress))
    said, valid = [fields for fields, _ in found], [valid for _, valid in found]
    return TeacherOutputs(encode(wanted), said, valid, like, extra, spans)


def _visible(model: DistilledModel, components: int) -> dict[str, Tensor]:
    """What the student may read of the target's past."""
    if not model.soft_sensor:
        return {}
    return {"past_target": torch.zeros(model.student.input_chunk_length, components, dtype=torch.bool)}
