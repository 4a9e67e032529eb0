"""The front door: a student, its teachers, and how it learns from them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from darts import TimeSeries

from tskd._core.checks import as_tuple
from tskd._core.darts.capabilities import TorchForecastingModel, horizon_of, needs_target, shared_steps
from tskd._core.darts.fit import kept_components
from tskd._core.series import SeriesLike, check_same_components, components_of
from tskd.balance import Balance, FixedBalance
from tskd.distillation import fit as fitting
from tskd.distillation import soft_sensor
from tskd.distillation.backtesting import evaluate, historical_forecasts
from tskd.distillation.history import History
from tskd.distillation.recipe import check_student
from tskd.distillation.serialization import load, save
from tskd.losses import LossTerm, OutputKD
from tskd.teachers.teacher import Teacher
from tskd.weighting import Uniform, Weighting


class DistilledModel:
    """A student trained with the help of teachers that see more.

    Args:
        student: a darts torch model, trained in place; it stays a plain darts model.
        teachers: in any number; those not fitted are fitted on copies, on the student's rows.
        losses: what is distilled, summed with their weights, and what weighs the labels; `OutputKD()` if None.
        weighting: how the teachers are combined; `Uniform()` if None.
        balance: share α of the teachers in the loss, a number or a `Balance`. 0 is darts' own training, seed for seed.
        soft_sensor: the student does not see the target's own past, neither in training nor in use; `predict` then
            needs only covariates and where to start.

    Raises:
        TypeError, ValueError: something that cannot work, said before any data are seen.
    """

    def __init__(
        self,
        student: Any,
        teachers: Teacher | Sequence[Teacher] = (),
        losses: LossTerm | Sequence[LossTerm] | None = None,
        weighting: Weighting | None = None,
        balance: float | Balance = 0.5,
        *,
        soft_sensor: bool = False,
    ) -> None:
        self.student: TorchForecastingModel = check_student(student)
        self.teachers: tuple[Teacher, ...] = as_tuple(teachers, Teacher, "teachers")
        losses = OutputKD() if losses is None else losses
        self.losses: tuple[LossTerm, ...] = as_tuple(losses, LossTerm, "losses")
        self.weighting = Uniform() if weighting is None else weighting
        self.balance = balance if isinstance(balance, Balance) else FixedBalance(balance)
        self.soft_sensor = soft_sensor
        # as they were passed in, before `fit` fits copies of them
        self.given_teachers = self.teachers
        self.told = History()
        self.components: dict[str, list[str]] = kept_components(self.student)
        self._check_combination()

    def __repr__(self) -> str:
        return (
            f"DistilledModel(student={type(self.student).__name__}, teachers={list(self.teachers)}, "
            f"losses={list(self.losses)}, weighting={self.weighting}, balance={self.balance})"
        )

    @property
    def history(self) -> list[dict[str, Any]]:
        """How far each teacher was followed: an entry for every epoch in which teachers had a share.

        Means over the windows that have a valid teacher, with K teachers and a horizon of H steps:

        * `epoch`: its number, from 0 on; a second fit goes on counting.
        * `weights`: by teacher, over the horizon.
        * `by_step`: by teacher, of every step of the horizon `[H]`; empty if the method gives a window one weight.
        * `by_hour`: by teacher, of the windows whose forecast origin is in each hour of the day `[24]`, NaN where there
          is none; empty if the time stamps are a day or more apart, or all windows have the same weights.
        * `aspects`: by aspect and teacher, of what is weighed apart: `{"level": {"a": 0.9, "b": 0.1}, …}`, over the
          batches in which a loss compared it; empty if nothing is.
        * `effective`: (Σw)²/Σw² of a window, how many teachers are really followed.
        * `masked`: share of the pairs of window and teacher that are left out, for want of a forecast.

        The logged `weight/<teacher>`, `weight/<aspect>/<teacher>`, `effective_teachers` and `masked_fraction` are
        these. Over all processes, where as_tuple train together. After a fit that failed or was interrupted, the epochs
        that it finished are here until the next, though the student is as it was before. Not saved with the model: it
        tells of a training, and loggers keep such things.
        """
        return [*self.told.entries]

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
        cache: str | Path | None = None,
    ) -> DistilledModel:
        """Fit the teachers that are not fitted, ask all of them about every training window, and train the student.

        The arguments are darts'. A second call trains the student further, with the same teachers. If anything fails,
        student and teachers are as they were.

        Args:
            privileged: series by the names that the teachers' sources read, one for each target series; they may run
                past the end of `series`, but nothing after it is read.
            val_privileged: the same for `val_series`; without it, privileged teachers fitted here see no validation.
            cache: folder in which what the teachers say is kept, for later fits with the same teachers and data.

        Raises:
            TypeError, ValueError: data that cannot be used; raised before any training.
        """
        rows = {"stride": stride, "max_samples_per_ts": max_samples_per_ts}
        train = fitting.checked(self, series, past_covariates, future_covariates, privileged, sample_weight, rows)
        held_out = None
        if val_series is not None:
            validation = (val_series, val_past_covariates, val_future_covariates, val_privileged)
            held_out = fitting.checked(self, *validation, val_sample_weight, rows, "val_")
            held_out.check_same_components(train)
        teachers = fitting.fit(
            self,
            train,
            held_out,
            {**rows, "sample_weight": sample_weight},
            None if cache is None else Path(cache),
            verbose,
            trainer=trainer,
            epochs=epochs,
            dataloader_kwargs=None if dataloader_kwargs is None else dict(dataloader_kwargs),
            val_sample_weight=val_sample_weight,
            load_best=load_best,
        )
        self.teachers = teachers
        self.components = components_of(**train.given)
        return self

    def predict(
        self,
        n: int,
        series: SeriesLike | None = None,
        past_covariates: SeriesLike | None = None,
        future_covariates: SeriesLike | None = None,
        *,
        start: Any = None,
        **predict_kwargs: Any,
    ) -> TimeSeries | list[TimeSeries]:
        """The student's forecast, as darts' `predict`; nothing privileged is asked for.

        Args:
            start: for a soft sensor, the first time stamp to be forecast, in place of `series`.

        Raises:
            ValueError: components other than those seen in `fit`, or in another order (darts does not notice).
        """
        self._check_components(series, past_covariates, future_covariates)
        if self.soft_sensor:
            if not self.components:
                raise ValueError("the model is not fitted; call fit() first")
            target = self.components["series"]
            return soft_sensor.predict(
                self.student, n, target, series, start, past_covariates, future_covariates, **predict_kwargs
            )
        if start is not None:
            raise ValueError("start= is for a soft sensor; any other student needs the series up to the origin")
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
        self._check_components(series, past_covariates, future_covariates)
        return historical_forecasts(
            self, series, past_covariates, future_covariates, retrain=retrain, privileged=privileged, **rolling_kwargs
        )

    def backtest(self, series: SeriesLike, *args: Any, **kwargs: Any) -> Any:
        """darts' `backtest`, plus `privileged=` for `retrain` (see `historical_forecasts`)."""
        return evaluate(self, "backtest", series, *args, **kwargs)

    def residuals(self, series: SeriesLike, *args: Any, **kwargs: Any) -> Any:
        """darts' `residuals`, plus `privileged=` for `retrain` (see `historical_forecasts`)."""
        return evaluate(self, "residuals", series, *args, **kwargs)

    def save(self, path: str | Path, clean: bool = False) -> None:
        """Write the model into the folder `path`: student and teachers in darts' format, the rest as JSON.

        With `clean=True` the student is saved as darts does then, without trainer settings: a callback of the user's
        own cannot be read back by safe loading. `model.student.save(...)` saves the student alone, to be deployed.
        """
        save(self, Path(path), clean)

    @classmethod
    def load(cls, path: str | Path) -> DistilledModel:
        """Read what `save` wrote, by darts' safe loading."""
        return load(cls, Path(path))

    def _check_components(self, series: Any, past: Any, future: Any) -> None:
        for what, given in (("series", series), ("past_covariates", past), ("future_covariates", future)):
            if given is not None:
                items = [given] if isinstance(given, TimeSeries) else list(given)
                check_same_components(items, self.components.get(what), what)

    def _check_combination(self) -> None:
        if self.soft_sensor and needs_target(self.student):
            raise ValueError(
                f"{type(self.student).__name__} {needs_target(self.student)}, which a soft sensor does not see"
            )
        if not isinstance(self.weighting, Weighting):
            raise TypeError(f"weighting must be a Weighting, got {type(self.weighting).__name__}")
        if self.teachers and not self.losses:
            raise ValueError("there are teachers but no losses; give at least one, such as OutputKD()")
        if self.teachers and not any(loss.weight for loss in self.losses):
            raise ValueError("every loss has weight 0; give one of them more, or leave out the teachers")
        names = [teacher.name for teacher in self.teachers]
        copy.deepcopy(self.weighting).set_up(names)
        if len(set(names)) < len(names):
            raise ValueError(f"teacher names {names} repeat; give each a name of its own")
        horizon = horizon_of(self.student)
        for teacher in self.teachers:
            if teacher.model is self.student:
                raise ValueError(f"teacher {teacher.name!r} is the student itself; give another model object")
            shared = shared_steps(horizon, teacher.horizon)
            if shared.start == shared.stop:
                raise ValueError(
                    f"teacher {teacher.name!r} forecasts steps {teacher.horizon[0]} to {teacher.horizon[-1]}, the "
                    f"student {horizon[0]} to {horizon[-1]}: they have no step in common"
                )
