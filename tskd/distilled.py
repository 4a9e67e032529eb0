"""The front door: a student, its teachers, and how it learns from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from darts import TimeSeries
from torch import Tensor

from tskd import _darts
from tskd._darts import TorchForecastingModel
from tskd.balance import Balance, FixedBalance
from tskd.batches import DistillationData
from tskd.checks import (
    SeriesLike,
    as_list,
    as_privileged,
    components_of,
    refuse_other_components,
    require_windows,
)
from tskd.knowledge import Knowledge, judge, unique
from tskd.losses import DistillationLoss, OutputKD
from tskd.objective import Objective
from tskd.persistence import load, save
from tskd.rolling import evaluate, historical_forecasts
from tskd.teacher import Teacher, horizon_of, refuse_unteachable
from tskd.training import Distillation, isolated_randomness, probe
from tskd.weighting import Uniform, Weighting
from tskd.windows import Windows, training_keys_of


class DistilledModel:
    """A student trained with the help of teachers that see more.

    Args:
        student: a darts torch model, trained in place; it stays a plain darts model.
        teachers: in any number; those not fitted are fitted on copies, on the student's rows.
        losses: what is distilled, summed with their weights; `OutputKD()` if None.
        weighting: how the teachers are combined; `Uniform()` if None.
        balance: share α of the teachers in the loss, a number or a `Balance`. 0 is darts' own training, seed for seed.

    Raises:
        TypeError, ValueError: something that cannot work, said before any data are seen.
    """

    def __init__(
        self,
        student: Any,
        teachers: Teacher | Sequence[Teacher] = (),
        losses: DistillationLoss | Sequence[DistillationLoss] | None = None,
        weighting: Weighting | None = None,
        balance: float | Balance = 0.5,
    ) -> None:
        self.student: TorchForecastingModel = refuse_unteachable(student, "student")
        self.teachers: tuple[Teacher, ...] = (teachers,) if isinstance(teachers, Teacher) else tuple(teachers)
        losses = OutputKD() if losses is None else losses
        self.losses: tuple[DistillationLoss, ...] = (losses,) if isinstance(losses, DistillationLoss) else tuple(losses)
        self.weighting = Uniform() if weighting is None else weighting
        self.balance = balance if isinstance(balance, Balance) else FixedBalance(balance)
        self._given: tuple[Teacher, ...] | None = None
        self._components: dict[str, list[str]] = {}
        self._refuse_impossible()

    def __repr__(self) -> str:
        return (
            f"DistilledModel(student={type(self.student).__name__}, teachers={list(self.teachers)}, "
            f"losses={list(self.losses)}, weighting={self.weighting}, balance={self.balance})"
        )

    def fit(
        self,
        series: SeriesLike,
        past_covariates: SeriesLike | None = None,
        future_covariates: SeriesLike | None = None,
        val_series: SeriesLike | None = None,
        val_past_covariates: SeriesLike | None = None,
        val_future_covariates: SeriesLike | None = None,
        trainer: Any = None,
        verbose: bool | None = None,
        epochs: int = 0,
        max_samples_per_ts: int | None = None,
        dataloader_kwargs: dict[str, Any] | None = None,
        sample_weight: SeriesLike | str | None = None,
        val_sample_weight: SeriesLike | str | None = None,
        stride: int = 1,
        load_best: bool = False,
        *,
        privileged: Mapping[str, SeriesLike] | None = None,
        val_privileged: Mapping[str, SeriesLike] | None = None,
    ) -> DistilledModel:
        """Fit the teachers that are not fitted, ask all of them about every training window, and train the student.

        The arguments are darts'. A second call trains the student further, with the same teachers. If anything fails,
        student and teachers are as they were.

        Args:
            privileged: series by the names that the teachers' sources read, one for each target series; they may run
                past the end of `series`, but nothing after it is read.
            val_privileged: the same for `val_series`; without it, privileged teachers fitted here see no validation.

        Raises:
            TypeError, ValueError: data that cannot be used; raised before any training.
        """
        rows: dict[str, Any] = {"stride": stride, "max_samples_per_ts": max_samples_per_ts}
        given = self._checked(series, past_covariates, future_covariates, "", rows)
        held_out = {}
        if val_series is not None:
            held_out = self._checked(val_series, val_past_covariates, val_future_covariates, "val_", rows)
            refuse_other_components(held_out["series"], list(given["series"][0].components), "val_series")
        known = as_privileged(privileged, self._names, len(given["series"]), "privileged")
        known_val = None
        if held_out and val_privileged is not None:
            known_val = as_privileged(val_privileged, self._names, len(held_out["series"]), "val_privileged")
        rows["sample_weight"] = sample_weight
        with isolated_randomness():
            teachers = tuple(
                self._fitted(teacher, given, known, held_out, known_val, verbose=verbose, **rows)
                for teacher in self.teachers
            )
            # asked about one window before the student is touched: shapes and components are then known to be right
            views = [
                teacher.windows(**given, privileged={name: known[name] for name in teacher.names})
                for teacher in teachers
            ]

        def run(trainer: Any, network: Any, data: Any, checkpoint: str | None) -> None:
            found, found_val = _darts.data_of(data)
            with isolated_randomness():
                keys, windows = _darts.training_windows(found)
                train = DistillationData(keys, windows, self._ask(teachers, views, windows, keys))
                val = None
                if found_val is not None:
                    keys_val, windows_val = _darts.training_windows(found_val)
                    val = DistillationData(keys_val, windows_val, self._ask((), [], windows_val, keys_val))
                objective = Objective(self.losses, [teacher.name for teacher in teachers], self.weighting)
                objective.set_up(probe(train.__getitems__([0])))
                module = Distillation(network, objective, self.balance, [teacher.name for teacher in teachers])
            _darts.replace_data(data, train, val)
            try:
                trainer.fit(model=module, datamodule=data, ckpt_path=checkpoint)
            finally:
                for items in (train, val):
                    if items is not None:
                        items.release()

        _darts.fit_through(
            self.student,
            run,
            **given,
            **{f"val_{name}": value for name, value in held_out.items()},
            trainer=trainer,
            verbose=verbose,
            epochs=epochs,
            dataloader_kwargs=None if dataloader_kwargs is None else dict(dataloader_kwargs),
            val_sample_weight=val_sample_weight,
            load_best=load_best,
            **rows,
        )
        self._given = self.given_teachers
        self.teachers = teachers
        self._components = components_of(**given)
        return self

    def predict(
        self,
        n: int,
        series: SeriesLike | None = None,
        past_covariates: SeriesLike | None = None,
        future_covariates: SeriesLike | None = None,
        **predict_kwargs: Any,
    ) -> TimeSeries | list[TimeSeries]:
        """The student's forecast, as darts' `predict`; nothing privileged is asked for.

        Raises:
            ValueError: components other than those seen in `fit`, or in another order (darts does not notice).
        """
        self._refuse_other_components(series, past_covariates, future_covariates)
        return self.student.predict(
            n, series=series, past_covariates=past_covariates, future_covariates=future_covariates, **predict_kwargs
        )

    def historical_forecasts(
        self,
        series: SeriesLike,
        past_covariates: SeriesLike | None = None,
        future_covariates: SeriesLike | None = None,
        *,
        retrain: bool | int | Callable[..., bool] = True,
        privileged: Mapping[str, SeriesLike] | None = None,
        **rolling_kwargs: Any,
    ) -> Any:
        """darts' `historical_forecasts`. With `retrain`, student and teachers are fitted afresh on what was known at
        each origin; teachers that were passed in fitted are used as they are, if their data end before it.

        Args:
            privileged: for `retrain`, as in `fit`; nothing after the end of each training series is read.
            rolling_kwargs: darts' other arguments; `fit_kwargs` are those of this class.

        Raises:
            ValueError: privileged series without `retrain`, or a fitted teacher that has seen what comes after an
                origin.
        """
        self._refuse_other_components(series, past_covariates, future_covariates)
        return historical_forecasts(
            self, series, past_covariates, future_covariates, retrain=retrain, privileged=privileged, **rolling_kwargs
        )

    def backtest(self, series: SeriesLike, *args: Any, **kwargs: Any) -> Any:
        """darts' `backtest`, plus `privileged=` for `retrain` (see `historical_forecasts`)."""
        return evaluate(self, "backtest", series, *args, **kwargs)

    def residuals(self, series: SeriesLike, *args: Any, **kwargs: Any) -> Any:
        """darts' `residuals`, plus `privileged=` for `retrain` (see `historical_forecasts`)."""
        return evaluate(self, "residuals", series, *args, **kwargs)

    def save(self, path: str | Path) -> None:
        """Write the model into the folder `path`: student and teachers in darts' format, the rest as JSON.

        `model.student.save(...)` saves the student alone, to be deployed.
        """
        save(self, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> DistilledModel:
        """Read what `save` wrote, by darts' safe loading."""
        return load(cls, Path(path))

    @property
    def given_teachers(self) -> tuple[Teacher, ...]:
        """The teachers as they were passed in, before `fit` fitted copies of them."""
        return self.teachers if self._given is None else self._given

    @property
    def _names(self) -> list[str]:
        return list(dict.fromkeys(name for teacher in self.teachers for name in teacher.names))

    def _checked(self, series: Any, past: Any, future: Any, prefix: str, rows: Mapping[str, Any]) -> dict[str, Any]:
        targets = as_list(series, f"{prefix}series")
        if not targets:
            raise ValueError(f"{prefix}series is empty")
        given = {
            "series": targets,
            "past_covariates": as_list(past, f"{prefix}past_covariates", len(targets)),
            "future_covariates": as_list(future, f"{prefix}future_covariates", len(targets)),
        }
        for what, expected in self._components.items():
            refuse_other_components(given[what], expected, f"{prefix}{what}")
        require_windows(given, self.student, training_keys_of(self.student, targets, **rows), prefix)
        return given

    def _refuse_other_components(self, series: Any, past: Any, future: Any) -> None:
        for what, given in (("series", series), ("past_covariates", past), ("future_covariates", future)):
            if given is not None:
                items = [given] if isinstance(given, TimeSeries) else list(given)
                refuse_other_components(items, self._components.get(what), what)

    def _fitted(
        self,
        teacher: Teacher,
        given: dict[str, Any],
        known: dict[str, list[TimeSeries]],
        held_out: dict[str, Any],
        known_val: dict[str, list[TimeSeries]] | None,
        **fit_kwargs: Any,
    ) -> Teacher:
        if teacher.fitted:
            return teacher
        if held_out and (known_val is not None or not teacher.names):
            fit_kwargs |= {f"val_{name}": value for name, value in held_out.items()}
            fit_kwargs["val_privileged"] = {name: (known_val or {})[name] for name in teacher.names}
        return teacher.fit(**given, privileged={name: known[name] for name in teacher.names}, **fit_kwargs)

    def _ask(self, teachers: Sequence[Teacher], views: Sequence[Windows], windows: Windows, keys: Tensor) -> Knowledge:
        asked = unique(keys)
        first, length = horizon_of(self.student)[0], self.student.output_chunk_length
        forecasts, valid = [], []
        for teacher, view in zip(teachers, views, strict=True):
            values, covered = teacher.forecasts(view, asked)
            aligned = values[:, first - teacher.horizon[0] :][:, :length]
            forecasts.append(aligned)
            valid.append(judge(teacher.name, aligned, covered))
        return Knowledge.collect(asked, forecasts, valid, windows.gather(keys[:1])["future_target"])

    def _refuse_impossible(self) -> None:
        kind = type(self.student).__name__
        if not _darts.trains(self.student):
            raise TypeError(f"{kind} is used as it comes and is not trained; it cannot be a student")
        for part, wanted in ((self.losses, DistillationLoss), (self.teachers, Teacher)):
            for item in part:
                if not isinstance(item, wanted):
                    raise TypeError(f"expected {wanted.__name__}, got {type(item).__name__}")
        if not isinstance(self.weighting, Weighting):
            raise TypeError(f"weighting must be a Weighting, got {type(self.weighting).__name__}")
        if self.teachers and not self.losses:
            raise ValueError("there are teachers but no losses; give at least one, such as OutputKD()")
        names = [teacher.name for teacher in self.teachers]
        if len(set(names)) < len(names):
            raise ValueError(f"teacher names {names} repeat; give each a name of its own")
        horizon = horizon_of(self.student)
        for teacher in self.teachers:
            if teacher.model is self.student:
                raise ValueError(f"teacher {teacher.name!r} is the student itself; give another model object")
            if teacher.horizon[0] > horizon[0] or teacher.horizon[-1] < horizon[-1]:
                raise ValueError(
                    f"teacher {teacher.name!r} forecasts steps {teacher.horizon[0]} to {teacher.horizon[-1]}, the "
                    f"student {horizon[0]} to {horizon[-1]}: the teacher's must include the student's"
                )
