"""darts' names on a `DistilledModel` that follow from its student and its rolling forecasts, and why others are not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from tskd._core.darts.capabilities import TorchForecastingModel
from tskd._core.darts.inspect import trained_dtype
from tskd._core.series import SeriesLike
from tskd._core.suggest import closest
from tskd.distillation.backtesting import evaluate
from tskd.distillation.deployed_inputs import check_fitted, check_readable_static, check_retrainable, deployable
from tskd.distillation.window_errors import errors_of_windows

INSTEAD: Mapping[str, str] = {
    "gridsearch": "darts would fit each candidate without its teachers; make a DistilledModel for each and compare "
    "their backtest(), or use the control 'tuned' of tskd.experiment, which searches the student",
    "lr_find": "its learning rate would be that of the labels alone; model.student.lr_find(...) finds that one before "
    "a fit",
    "scale_batch_size": "its batches would hold no answers of teachers; call it on model.student before a fit",
    "fit_from_dataset": "teachers answer for windows of series, which a data set does not tell: call fit()",
}
"""What to use in place of darts' methods that would not do here what they say."""


def _of_student(name: str, meaning: str) -> Any:
    return property(lambda self: getattr(self.student, name), doc=meaning)


class DartsSurface:
    """What darts' users expect of a model, for `DistilledModel` to inherit.

    It is no `ForecastingModel`: darts would copy, save, ensemble and search it as one that knows nothing of teachers.
    To what takes one, pass `model.student`, a plain darts model.
    """

    student: TorchForecastingModel
    soft_sensor: bool
    components: Any
    historical_forecasts: Any

    likelihood = _of_student("likelihood", "darts' likelihood of the student, or None.")
    epochs_trained = _of_student("epochs_trained", "As darts counts them: of the last fit, and anew after a forecast.")
    input_chunk_length = _of_student("input_chunk_length", "Steps up to the origin that the student reads.")
    output_chunk_length = _of_student("output_chunk_length", "Steps that the student forecasts at once.")
    output_chunk_shift = _of_student("output_chunk_shift", "Steps between the origin and the first that is forecast.")
    supports_multivariate = _of_student("supports_multivariate", "Whether a series may have several components.")
    supports_past_covariates = _of_student("supports_past_covariates", "Whether the student reads past covariates.")
    supports_future_covariates = _of_student("supports_future_covariates", "Whether it reads future covariates.")
    supports_static_covariates = _of_student("supports_static_covariates", "Whether it can read static covariates.")
    supports_sample_weight = _of_student("supports_sample_weight", "Whether labels may be weighed.")
    supports_probabilistic_prediction = _of_student(
        "supports_probabilistic_prediction", "Whether the student forecasts distributions."
    )

    def __getattr__(self, name: str) -> NoReturn:
        """An AttributeError that says where to find darts' attribute of this name."""
        text = f"{type(self).__name__!r} object has no attribute {name!r}"
        if name in INSTEAD:
            text += f": {INSTEAD[name]}"
        elif not name.startswith("_") and hasattr(self.__dict__.get("student"), name):
            text += f"; its student has it: model.student.{name}"
        elif not name.startswith("_") and (near := closest(name, dir(type(self)))):
            text += f"; did you mean {near!r}?"
        raise AttributeError(text, name=name, obj=self)

    def to_onnx(self, path: str | None = None, **kwargs: Any) -> None:
        """Export the student by darts' `to_onnx`. ValueError if it is not fitted."""
        check_fitted(self.student)
        self.student.to_onnx(path, **kwargs)

    def load_weights(self, path: str, **kwargs: Any) -> None:
        """Load the student's weights by darts' `load_weights`, from a file that `model.student.save(...)` wrote."""
        self.student.load_weights(path, **kwargs)

    def backtest(self, series: SeriesLike, *args: Any, **kwargs: Any) -> Any:
        """darts' `backtest`, plus `privileged=` for `retrain` (see `historical_forecasts`).

        Where labels are missing, the error of a forecast is that over its labelled steps, and forecasts without any do
        not count in the mean over forecasts (`reduction=np.nanmean`, darts' default). A UserWarning says if none has
        one, and the error is NaN.
        """
        quick = None if self.soft_sensor else self._errors_of_windows
        return evaluate(self.student.backtest, self.historical_forecasts, series, *args, quick=quick, **kwargs)

    def residuals(self, series: SeriesLike, *args: Any, **kwargs: Any) -> Any:
        """darts' `residuals`, plus `privileged=` for `retrain` (see `historical_forecasts`); NaN where a label is
        missing."""
        return evaluate(self.student.residuals, self.historical_forecasts, series, *args, **kwargs)

    def _errors_of_windows(self, arguments: Mapping[str, Any], **parts: Any) -> Any:
        """See `errors_of_windows`, after the checks of `historical_forecasts`."""
        check_retrainable(self.student, False)
        given = deployable(self.components, trained_dtype(self.student), **parts)
        check_readable_static(self.student, given["series"])
        return errors_of_windows(self.student, **given, arguments=arguments)
