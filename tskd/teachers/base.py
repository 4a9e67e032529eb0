"""What a distillation asks of a teacher, whatever it is: a model, a reconstruction, or forecasts from outside."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from darts import TimeSeries

from tskd._core.coverage import check_long_enough
from tskd._core.model_inputs import ModelInputs
from tskd._core.series import SeriesBundle, SeriesLike, as_list
from tskd._core.window_keys import WindowSampling, WindowSpan, training_keys, unique
from tskd.privileged import Source
from tskd.teachers.crossfit import CrossFit
from tskd.teachers.predictor import TeacherPredictor


class BaseTeacher(ABC):
    """A teacher, fitted or not.

    It is fitted on its own inputs (`inputs_on`, `fit_on`), and answers for windows of some series (`predictor_on`). The
    properties that a kind of teacher does not have keep their defaults here.

    Attributes:
        name: for messages, logs and weights by name.
        fills_past: whether it fills the missing past of the target among the student's inputs in training.
    """

    name: str
    fills_past = False

    @property
    @abstractmethod
    def kind(self) -> str:
        """What it is, for messages: after "a" or "an"."""

    @property
    @abstractmethod
    def horizon(self) -> range:
        """Steps after the origin that it forecasts."""

    @property
    @abstractmethod
    def fitted(self) -> bool: ...

    @property
    @abstractmethod
    def seen_until(self) -> Any:
        """Last time stamp of the data that it was fitted on; None if that is not known."""

    @property
    def names(self) -> list[str]:
        """Keys of `privileged` that it reads."""
        return []

    @property
    def sources(self) -> tuple[Source, ...]:
        return ()

    @property
    def lookback(self) -> int:
        """Number of steps up to the origin that it reads, the origin included."""
        return 1

    @property
    def models(self) -> tuple[Any, ...]:
        """Its darts models."""
        return ()

    @property
    def is_network(self) -> bool:
        """Whether it is a torch model: with hidden layers, and a validation part in its fit."""
        return False

    @property
    def trains_network(self) -> bool:
        """Whether its fit trains a network on labels."""
        return False

    @property
    def learns(self) -> bool:
        """Whether its answers depend on the labels that it is fitted on."""
        return True

    @property
    def cross_fit(self) -> CrossFit | None:
        return None

    @property
    def likelihood(self) -> Any:
        """darts' likelihood whose parameters it gives without being a network, or None."""
        return None

    def was_fitted_on(self, series: Sequence[TimeSeries]) -> bool:
        """Whether the fitted teacher's answers depend on labels of these target series; true if that is not known."""
        return False

    def filled_on(self, inputs: ModelInputs) -> Sequence[TimeSeries]:
        """The target series in its own inputs, with missing values filled by its answers where it has one."""
        return inputs.series

    def answering(self, steps: range) -> Self:
        """The same teacher, if it answers for any step, with the horizon `steps`; otherwise itself."""
        return self

    def data_of(
        self,
        series: SeriesLike,
        past_covariates: SeriesLike | None,
        future_covariates: SeriesLike | None,
        privileged: Mapping[str, SeriesLike] | None,
        prefix: str = "",
    ) -> SeriesBundle:
        """Check the series that a user passes in, and keep those that it reads: targets and privileged ones.

        Args:
            prefix: prefix of argument names in messages, `"val_"` for the validation part.
        """
        whose = f" of teacher {self.name!r}"
        return SeriesBundle.of(series, prefix=prefix).with_privileged(privileged, self.names, whose)

    @abstractmethod
    def inputs_on(self, data: SeriesBundle, sampling: WindowSampling | None = None) -> ModelInputs:
        """Its inputs.

        Args:
            data: checked series, with the privileged ones that it reads.
            sampling: of the windows it is fitted on; None to forecast only.

        Raises:
            ValueError: it cannot use the series.
        """

    @abstractmethod
    def fit_on(self, inputs: ModelInputs, validation: ModelInputs | None = None, **fit_kwargs: Any) -> BaseTeacher:
        """Fit on its own inputs, and return the fitted teacher; this one is unchanged."""

    def check_fit_on(self, inputs: ModelInputs, validation: ModelInputs | None = None, **fit_kwargs: Any) -> None:
        """Raise what `fit_on` would raise before its first step; here, that it is fitted."""
        self.check_fitted(False)

    @abstractmethod
    def unfitted(self) -> BaseTeacher:
        """The same teacher before its fit."""

    @abstractmethod
    def predictor_on(self, inputs: ModelInputs, targets: Sequence[TimeSeries]) -> TeacherPredictor:
        """The predictor of its outputs for windows of the student's target series `targets`."""

    @abstractmethod
    def save(self, folder: Path, stem: str) -> dict[str, Any]:
        """Write the fitted teacher.

        Args:
            folder: for its files.
            stem: start of their names.

        Returns:
            The rest of it, in a form that JSON can hold.
        """

    @classmethod
    @abstractmethod
    def restored(cls, folder: Path, stem: str, entry: Mapping[str, Any], trusted: Sequence[type] = ()) -> BaseTeacher:
        """The teacher whose `save` returned `entry`."""

    def predictor(
        self,
        series: SeriesLike,
        past_covariates: SeriesLike | None = None,
        future_covariates: SeriesLike | None = None,
        privileged: Mapping[str, SeriesLike] | None = None,
    ) -> TeacherPredictor:
        """The predictor of the fitted teacher for windows of some series.

        Raises:
            ValueError: the teacher is not fitted, or was fitted with other components.
        """
        self.check_fitted(True)
        data = self.data_of(series, past_covariates, future_covariates, privileged)
        return self.predictor_on(self.inputs_on(data), data.series)

    def historical_forecasts(
        self,
        series: SeriesLike,
        past_covariates: SeriesLike | None = None,
        future_covariates: SeriesLike | None = None,
        privileged: Mapping[str, SeriesLike] | None = None,
    ) -> list[TimeSeries] | list[list[TimeSeries]]:
        """Forecasts for every window whose horizon lies within `series`, oldest first, as darts' `historical_forecasts`
        with `retrain=False, last_points_only=False`; windows whose inputs do not exist are left out.

        Returns:
            A list of forecasts for one series, a list of lists for several.
        """
        targets = as_list(series, "series") or []
        predictor = self.predictor(targets, past_covariates, future_covariates, privileged)
        span = WindowSpan(self.lookback, len(self.horizon), self.horizon[0] - 1)
        check_long_enough(targets, span, "series", f"teacher {self.name!r}")
        keys = unique(training_keys([len(target) for target in targets], span))
        forecasts = predictor.forecast_series(keys, targets, self.horizon[0])
        return forecasts[0] if isinstance(series, TimeSeries) else forecasts

    def check_fitted(self, wanted: bool) -> None:
        """Raise a ValueError if the teacher is fitted and should not be, or the other way round."""
        if self.fitted and not wanted:
            raise ValueError(f"teacher {self.name!r} is fitted already, and fitted teachers are never changed")
        if wanted and not self.fitted:
            raise ValueError(f"teacher {self.name!r} is not fitted; call fit() first")
