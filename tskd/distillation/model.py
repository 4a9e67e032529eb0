"""The front door: a student, its teachers, and how it learns from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from darts import TimeSeries

from tskd._core.checks import as_tuple
from tskd._core.darts.capabilities import TorchForecastingModel
from tskd._core.darts.inspect import kept_components
from tskd._core.series import SeriesBundle, SeriesLike, check_same_components
from tskd._core.window_keys import WindowSampling
from tskd.balance import Balance, FixedBalance
from tskd.distillation.backtesting import Backtester, evaluate
from tskd.distillation.fit import fit
from tskd.distillation.history import EpochRecord, History
from tskd.distillation.preparation import FitOptions, prepare
from tskd.distillation.recipe import Recipe, check_student
from tskd.distillation.serialization import SavedModel, load, save
from tskd.distillation.soft_sensor import SoftSensor
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
        check_student(student)
        self.student: TorchForecastingModel = student
        self.teachers: tuple[Teacher, ...] = as_tuple(teachers, Teacher, "teachers")
        losses = OutputKD() if losses is None else losses
        self.losses: tuple[LossTerm, ...] = as_tuple(losses, LossTerm, "losses")
        self.weighting = Uniform() if weighting is None else weighting
        self.balance = balance if isinstance(balance, Balance) else FixedBalance(balance)
        self.soft_sensor = soft_sensor
        # as they were passed in, before `fit` fits copies of them
        self.given_teachers = self.teachers
        self.components: dict[str, list[str]] = kept_components(self.student)
        self._history = History()
        # raises for parts that cannot work together
        self._recipe()

    def __repr__(self) -> str:
        return (
            f"DistilledModel(student={type(self.student).__name__}, teachers={list(self.teachers)}, "
            f"losses={list(self.losses)}, weighting={self.weighting}, balance={self.balance})"
        )

    @property
    def history(self) -> list[EpochRecord]:
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
        these. Over all processes, where several train together. After a fit that failed or was interrupted, the epochs
        that it finished are here until the next, though the student is as it was before. Not saved with the model: it
        tells of a training, and loggers keep such things.
        """
        return [*self._history.entries]

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
        recipe = self._recipe()
        train = SeriesBundle.of(series, past_covariates, future_covariates)
        train = train.with_privileged(privileged, recipe.series_names)
        validation = None
        if val_series is not None:
            validation = SeriesBundle.of(val_series, val_past_covariates, val_future_covariates, "val_")
            if val_privileged is not None:
                validation = validation.with_privileged(val_privileged, recipe.series_names)
        options = FitOptions(
            WindowSampling(stride, max_samples_per_ts),
            sample_weight,
            val_sample_weight,
            trainer,
            epochs,
            dataloader_kwargs,
            load_best,
            verbose,
            None if cache is None else Path(cache),
        )
        prepared = prepare(recipe, train, validation, options, self.components)
        self.teachers = fit(prepared, self._history)
        self.components = train.components
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
            sensor = SoftSensor(self.student, self.components["series"])
            return sensor.predict(n, series, start, past_covariates, future_covariates, **predict_kwargs)
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
        return self._backtester.historical_forecasts(
            series, past_covariates, future_covariates, retrain=retrain, privileged=privileged, **rolling_kwargs
        )

    def backtest(self, series: SeriesLike, *args: Any, **kwargs: Any) -> Any:
        """darts' `backtest`, plus `privileged=` for `retrain` (see `historical_forecasts`)."""
        return evaluate(self.student.backtest, self.historical_forecasts, series, *args, **kwargs)

    def residuals(self, series: SeriesLike, *args: Any, **kwargs: Any) -> Any:
        """darts' `residuals`, plus `privileged=` for `retrain` (see `historical_forecasts`)."""
        return evaluate(self.student.residuals, self.historical_forecasts, series, *args, **kwargs)

    def save(self, path: str | Path, clean: bool = False) -> None:
        """Write the model into the folder `path`: student and teachers in darts' format, the rest as JSON.

        With `clean=True` the student is saved as darts does then, without trainer settings: a callback of the user's
        own cannot be read back by safe loading. `model.student.save(...)` saves the student alone, to be deployed.
        """
        save(SavedModel(self._recipe(), self.given_teachers, self.components), Path(path), clean)

    @classmethod
    def load(cls, path: str | Path) -> DistilledModel:
        """Read what `save` wrote, by darts' safe loading."""
        saved = load(Path(path))
        recipe = saved.recipe
        parts = (recipe.student, recipe.teachers, recipe.losses, recipe.weighting, recipe.balance)
        model = cls(*parts, soft_sensor=recipe.soft_sensor)
        model.components, model.given_teachers = dict(saved.components), saved.given_teachers
        return model

    def _check_components(self, series: Any, past: Any, future: Any) -> None:
        for what, given in (("series", series), ("past_covariates", past), ("future_covariates", future)):
            if given is not None:
                items = [given] if isinstance(given, TimeSeries) else list(given)
                check_same_components(items, self.components.get(what), what)

    def _recipe(self) -> Recipe:
        return Recipe(self.student, self.teachers, self.losses, self.weighting, self.balance, self.soft_sensor)

    @property
    def _backtester(self) -> Backtester:
        return Backtester(self.student, self.soft_sensor, self._refit, self.given_teachers)

    def _refit(self, student: Any, teachers: Sequence[Teacher], series: Any, **fit_kwargs: Any) -> Any:
        """A student like this one, distilled afresh."""
        fresh = type(self)(student, teachers, self.losses, self.weighting, self.balance, soft_sensor=self.soft_sensor)
        return fresh.fit(series, **fit_kwargs).student
