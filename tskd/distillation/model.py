"""`DistilledModel`, the public class: a student, its teachers, and the recipe by which it is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from darts import TimeSeries

from tskd._core.checks import as_path, as_tuple
from tskd._core.components import Orders
from tskd._core.darts.arguments import check_roll, plain_arguments
from tskd._core.darts.capabilities import TorchForecastingModel
from tskd._core.darts.inspect import kept_components, trained_dtype
from tskd._core.series import SeriesLike
from tskd._core.window_keys import WindowSampling
from tskd.balance import Balance, FixedBalance
from tskd.distillation.backtesting import Backtester
from tskd.distillation.darts_surface import DartsSurface
from tskd.distillation.data_parts import data_parts
from tskd.distillation.deployed_inputs import (
    check_fitted,
    check_nothing_privileged,
    check_predict,
    check_retrainable,
    deployable,
)
from tskd.distillation.expected.chosen_balance import BalanceChoice
from tskd.distillation.fit import fit
from tskd.distillation.fit_options import FitOptions
from tskd.distillation.history import History
from tskd.distillation.history_table import EpochRecords
from tskd.distillation.preflight import prepare
from tskd.distillation.recipe import Recipe
from tskd.distillation.serialization import SavedModel, load, save
from tskd.distillation.soft_sensor import SoftSensor
from tskd.distillation.window_counts import WindowCounts
from tskd.losses import LossTerm, OutputKD
from tskd.teachers.base import BaseTeacher
from tskd.weighting import Uniform, Weighting


class DistilledModel(DartsSurface):
    """A student trained by distillation from teachers that may read privileged information.

    Args:
        student: a darts torch model, trained in place; it stays a plain darts model.
        teachers: any number, `Teacher` or `Reconstruction`; copies of unfitted ones are fitted on the training data.
        losses: distillation losses, summed with their weights, and label weightings; `OutputKD()` if None.
        weighting: how the teachers are combined; `Uniform()` if None.
        balance: share α of the teachers in the loss, a number or a `Balance`; `AutoBalance()` chooses it, and says why
            in `chosen_balance`. 0 is darts' own training, seed for seed; 1 needs losses that train all outputs.
        soft_sensor: the target's own past is hidden from the student, in training and in use; `predict` then needs
            only covariates and a start.

    Raises:
        TypeError, ValueError: the parts cannot work together with any data.
    """

    def __init__(
        self,
        student: Any,
        teachers: BaseTeacher | Sequence[BaseTeacher] = (),
        losses: LossTerm | Sequence[LossTerm] | None = None,
        weighting: Weighting | None = None,
        balance: float | Balance = 0.5,
        *,
        soft_sensor: bool = False,
    ) -> None:
        self.student: TorchForecastingModel = student
        self.teachers: tuple[BaseTeacher, ...] = as_tuple(teachers, BaseTeacher, "teachers")
        self.losses: tuple[LossTerm, ...] = as_tuple(OutputKD() if losses is None else losses, LossTerm, "losses")
        self.weighting = Uniform() if weighting is None else weighting
        self.balance = balance if isinstance(balance, Balance) else FixedBalance(balance)
        self.soft_sensor = soft_sensor
        # as the user passed them, before `fit` fits copies
        self.given_teachers = self.teachers
        self._recipe()  # raises for parts that cannot work together
        self.components: dict[str, Orders] = kept_components(student)
        self.windows: WindowCounts | None = None
        self.chosen_balance: BalanceChoice | None = None
        self._history = History()

    def __repr__(self) -> str:
        return (
            f"DistilledModel(student={type(self.student).__name__}, teachers={list(self.teachers)}, "
            f"losses={list(self.losses)}, weighting={self.weighting}, balance={self.balance}"
            + (")" if self.chosen_balance is None else f", chosen {self.chosen_balance.alpha:.2f})")
        )

    @property
    def history(self) -> EpochRecords:
        """The weights of the teachers by epoch, as a list and `to_dataframe()`; see `EpochRecords`."""
        return EpochRecords(self._history.entries)

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
        """Fit the unfitted teachers, compute the outputs of all for every training window, and train the student.

        Values may be missing (NaN or infinite). A missing label does not enter the loss, and a teacher is silent where
        it would read a missing value. Windows without labels learn from their teachers alone; those with neither, or in
        which inputs of the student are missing, are left out. `windows` counts them.

        All series need the same number of components. Their names may differ, but the same names in another order would
        mix up columns and are refused, also in validation, `predict` and privileged series.

        Other arguments are darts'. A second call trains the student further, with the same teachers. If the fit fails,
        student and teachers return to their state before it.

        Args:
            privileged: series by the names that teachers read, one for each target series or a single one for all, not
                read after the target's end; those that no teacher reads are left out.
            val_privileged: the same for `val_series`; without it, privileged teachers are fitted without validation.
            cache: folder in which teacher outputs are kept for later fits with the same teachers and data.

        Raises:
            TypeError, ValueError: the data cannot be used; raised before any training.
            FloatingPointError: the student became NaN; raised at the end of the epoch in which it did.
        """
        recipe = self._recipe()
        train, validation = data_parts(
            recipe,
            (series, past_covariates, future_covariates, privileged),
            (val_series, val_past_covariates, val_future_covariates, val_privileged),
        )
        options = FitOptions(
            sampling=WindowSampling(stride, max_samples_per_ts),
            sample_weight=sample_weight,
            val_sample_weight=val_sample_weight,
            trainer=trainer,
            epochs=epochs,
            dataloader_kwargs=dataloader_kwargs,
            load_best=load_best,
            verbose=verbose,
            cache=None if cache is None else as_path(cache, "cache"),
        )
        prepared = prepare(recipe, train, validation, options, self.components)
        result = fit(prepared, self._history)
        self.teachers, self.windows, self.components = result.teachers, result.windows, train.components
        self.chosen_balance = result.balance
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
        """The student's forecast by darts' `predict`; it takes no privileged series.

        Args:
            start: for a soft sensor, the first time stamp to forecast, in place of `series`.

        Raises:
            ValueError: there are more or fewer components than in `fit`, or the same in another order (which darts does
                not check), or values that the forecast reads are missing.
        """
        check_nothing_privileged(predict_kwargs)
        n, predict_kwargs = plain_arguments(n=n)["n"], plain_arguments(**predict_kwargs)
        check_fitted(self.student)
        parts = {"series": series, "past_covariates": past_covariates, "future_covariates": future_covariates}
        given = deployable(self.components, trained_dtype(self.student), **parts)
        if self.soft_sensor:
            sensor = SoftSensor(self.student, self.components["series"][0])
            return sensor.predict(n, start=start, **given, **predict_kwargs)
        if start is not None:
            raise ValueError("start= is for a soft sensor; any other student needs the series up to the origin")
        check_roll(self.student, n, predict_kwargs.get("roll_size"))
        check_predict(self.student, n, **given)
        return self.student.predict(n, **given, **predict_kwargs)

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
        """darts' `historical_forecasts`; with `retrain`, everything is fitted anew on the data up to each origin.

        Teachers that were passed fitted are used as they are, if their training data end before the origin. Forecasts
        that would read missing values are left out, or with `last_points_only` NaN.

        Args:
            privileged: for `retrain`, as in `fit`; values after the end of each training series are never read.
            rolling_kwargs: darts' other arguments; `fit_kwargs` are those of `DistilledModel.fit`.

        Raises:
            ValueError: privileged series without `retrain`, or a teacher fitted on data after an origin; else as `fit`.
        """
        check_retrainable(self.student, retrain)
        parts = {"series": series, "past_covariates": past_covariates, "future_covariates": future_covariates}
        given = deployable(self.components, None if retrain else trained_dtype(self.student), **parts)
        backtester = Backtester(self.student, self.soft_sensor, self._refit, self.given_teachers)
        return backtester.historical_forecasts(**given, retrain=retrain, privileged=privileged, **rolling_kwargs)

    def save(self, path: str | Path, clean: bool = False) -> None:
        """Write the model to the folder `path`: student and teachers in darts' format, the rest as JSON.

        `model.student.save(...)` saves the student alone, for deployment.

        Args:
            path: a new or empty folder.
            clean: save the student without trainer settings, as darts' argument of this name does.
        """
        save(SavedModel(self._recipe(), self.given_teachers, self.components), as_path(path, "path"), clean)

    @classmethod
    def load(cls, path: str | Path, trusted: Sequence[type] = ()) -> DistilledModel:
        """Read the model in `path`, by darts' safe loading. ValueError if it is damaged, or names custom classes
        (of models, losses, weightings, sources, teachers, callbacks) that are not `trusted`, as their code may run."""
        saved = load(as_path(path, "path"), as_tuple(trusted, type, "trusted"))
        model = cls._of(saved.recipe)
        model.components, model.given_teachers = dict(saved.components), saved.given_teachers
        return model

    def untrained_model(self) -> DistilledModel:
        """A new model of the same parts, with an untrained student and the teachers as they were passed."""
        return self._of(replace(self._recipe(), student=self.student.untrained_model(), teachers=self.given_teachers))

    def _recipe(self) -> Recipe:
        return Recipe(self.student, self.teachers, self.losses, self.weighting, self.balance, self.soft_sensor)

    def _refit(self, student: Any, teachers: Sequence[BaseTeacher], series: Any, **fit_kwargs: Any) -> Any:
        fresh = self._of(replace(self._recipe(), student=student, teachers=tuple(teachers)))
        return fresh.fit(series, **fit_kwargs).student

    @classmethod
    def _of(cls, recipe: Recipe) -> DistilledModel:
        parts = (recipe.student, recipe.teachers, recipe.losses, recipe.weighting, recipe.balance)
        return cls(*parts, soft_sensor=recipe.soft_sensor)
