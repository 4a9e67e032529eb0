"""Teachers: a darts model, and what it may see."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from darts import TimeSeries
from torch import Tensor

from tskd._core.checks import as_tuple, check_known
from tskd._core.darts.capabilities import horizon_of, is_fitted, is_torch_model, lookback_of
from tskd._core.darts.fit import kept_components, trained_until
from tskd._core.series import SeriesLike, as_list, check_same_components, components_of
from tskd._core.window_keys import training_keys
from tskd.privileged import Source
from tskd.teachers import network as networks
from tskd.teachers import regression as global_models
from tskd.teachers.crossfit import CrossFit, Folds
from tskd.teachers.inputs import View, arguments_of
from tskd.teachers.predictor import TeacherPredictor
from tskd.teachers.validation import check_possible, check_taught_by, check_teachable


class Teacher:
    """A darts global model, and a declaration of what it may see beyond the deployable inputs.

    Args:
        model: any of darts' global models. If it is fitted it is used as it is and never changed; else copies are
            fitted, on the student's rows.
        privileged: source or sources of privileged information; None for an ordinary teacher.
        name: for messages, logs and `Fixed` weights; the model's class name if None.
        sees_inputs: if false, the teacher sees the privileged part alone, and neither the target's past nor deployable
            or static covariates.
        target: key in `privileged` of the series that the teacher itself forecasts, if that has other components than
            the student's target; the student's must be among them.
        cross_fit: number of folds, or a `CrossFit`; the teacher is then as_tuple, and each training window is judged by
            those that did not train on it or near it.

    Raises:
        TypeError: the model cannot be a teacher, or a source is none.
        ValueError: a source needs slots or steps that the model does not have.
    """

    def __init__(
        self,
        model: Any,
        privileged: Source | Sequence[Source] | None = None,
        name: str | None = None,
        *,
        sees_inputs: bool = True,
        target: str | None = None,
        cross_fit: int | CrossFit | None = None,
    ) -> None:
        self.model = check_teachable(model)
        self.name = type(model).__name__ if name is None else name
        sources = () if privileged is None else privileged
        self.sources: tuple[Source, ...] = as_tuple(sources, Source, f"privileged of teacher {self.name!r}")
        self.sees_inputs = sees_inputs
        self.target = target
        self.cross_fit = cross_fit if cross_fit is None or isinstance(cross_fit, CrossFit) else CrossFit(cross_fit)
        self.models: tuple[Any, ...] = (model,)
        self.folds: Folds | None = None
        self.components: dict[str, list[str]] = kept_components(model)
        # last time stamp it was fitted on; None where darts does not keep it, after a fit on as_tuple series
        self.seen_until: Any = trained_until(model)
        check_possible(self)

    def __repr__(self) -> str:
        parts = [type(self.model).__name__]
        parts += [f"privileged={list(self.sources)}"] if self.sources else []
        parts += [f"name={self.name!r}"]
        parts += [] if self.sees_inputs else ["sees_inputs=False"]
        parts += [] if self.target is None else [f"target={self.target!r}"]
        parts += [] if self.cross_fit is None else [f"cross_fit={self.cross_fit}"]
        return f"Teacher({', '.join(parts)}{', fitted' if self.fitted else ''})"

    @property
    def fitted(self) -> bool:
        return all(is_fitted(model) for model in self.models)

    @property
    def names(self) -> list[str]:
        """Keys of `privileged` that the sources read, or the teacher forecasts."""
        read = [*(source.name for source in self.sources), self.target]
        return list(dict.fromkeys(name for name in read if name is not None))

    @property
    def horizon(self) -> range:
        """Steps after the origin that the model forecasts."""
        return horizon_of(self.model)

    @property
    def lookback(self) -> int:
        """Steps up to the origin that the model reads."""
        return lookback_of(self.model)

    def fit(
        self,
        series: SeriesLike,
        past_covariates: SeriesLike | None = None,
        future_covariates: SeriesLike | None = None,
        privileged: Mapping[str, SeriesLike] | None = None,
        val_series: SeriesLike | None = None,
        val_past_covariates: SeriesLike | None = None,
        val_future_covariates: SeriesLike | None = None,
        val_privileged: Mapping[str, SeriesLike] | None = None,
        taught_by: Teacher | None = None,
        **fit_kwargs: Any,
    ) -> Teacher:
        """A teacher fitted on a copy of the model; this one is unchanged.

        Windows for which a privileged value does not exist (past the end of `series`) are left out.

        A chain of way points (LuPTS: Karlsson et al. 2022, arXiv:2110.14993) is a teacher near the end of the horizon,
        fitted on the labels; one before it, fitted `taught_by` that one; and so on to the student, distilled from the
        last with balance 1. With linear models that is the product of their least-squares maps.

        Args:
            series: targets; nothing of `privileged` after the end of a series is read.
            privileged: series by name, each one or as many as there are targets.
            val_series: for darts' validation loss; a privileged teacher needs `val_privileged` with it.
            taught_by: a fitted teacher of the same horizon, whose forecasts take the place of the labels in the
                training windows; what its sources read is in `privileged` too. For networks only.
            fit_kwargs: darts' own, handed on to the model's `fit`.

        Raises:
            ValueError: data that cannot be used; see the message.
        """
        if self.fitted:
            raise ValueError(f"teacher {self.name!r} is fitted already, and fitted teachers are never changed")
        rows = {name: value for name, value in fit_kwargs.items() if name in ("stride", "max_samples_per_ts")}
        said = None
        if taught_by is not None:
            check_taught_by(self, taught_by)
            known = dict(privileged or {})
            check_known(known, [*self.names, *taught_by.names], f"name in privileged of teacher {self.name!r}")
            theirs, privileged = (
                {name: given for name, given in known.items() if name in teacher.names} for teacher in (taught_by, self)
            )
            said = taught_by.ask(series, past_covariates, future_covariates, theirs)
        arguments, view = arguments_of(self, series, past_covariates, future_covariates, privileged, "privileged", rows)
        held_out = None
        if val_series is not None and is_torch_model(self.model):
            found, held_out = arguments_of(
                self, val_series, val_past_covariates, val_future_covariates, val_privileged, "val_privileged", rows
            )
            fit_kwargs |= {f"val_{name}": value for name, value in found.items() if value is not None}
        keys = self.training_keys(arguments["series"], rows)
        last = self.horizon[-1]
        reach = self.lookback + max([last, *(math.ceil(source.reads_until(last)) for source in self.sources)])
        folds = None if self.cross_fit is None else Folds.of(self.cross_fit, arguments["series"], keys, reach)
        models = [
            self._fit_one(arguments, view, held_out, keys, folds, fold, said, fit_kwargs)
            for fold in range(1 if folds is None else folds.count)
        ]
        return Teacher.of_fitted(
            models,
            self.sources,
            self.name,
            sees_inputs=self.sees_inputs,
            target=self.target,
            cross_fit=self.cross_fit,
            folds=folds,
            components=components_of(**arguments),
            seen_until=max(target.end_time() for target in [*arguments["series"], *fit_kwargs.get("val_series", [])]),
        )

    @classmethod
    def of_fitted(
        cls,
        models: Sequence[Any],
        sources: Sequence[Source],
        name: str,
        *,
        sees_inputs: bool,
        target: str | None,
        cross_fit: CrossFit | None,
        folds: Folds | None,
        components: dict[str, list[str]],
        seen_until: Any,
    ) -> Teacher:
        """A teacher put together from what `fit` made: its models, one for each fold, and what they were fitted on."""
        teacher = cls(models[0], sources, name, sees_inputs=sees_inputs, target=target)
        teacher.cross_fit = cross_fit
        teacher.models = tuple(models)
        teacher.folds = folds
        teacher.components = components
        teacher.seen_until = seen_until
        return teacher

    def unfitted(self) -> Teacher:
        """The same teacher, to be fitted anew."""
        return Teacher(
            self.model.untrained_model(),
            self.sources,
            self.name,
            sees_inputs=self.sees_inputs,
            target=self.target,
            cross_fit=self.cross_fit,
        )

    def ask(
        self,
        series: SeriesLike,
        past_covariates: SeriesLike | None = None,
        future_covariates: SeriesLike | None = None,
        privileged: Mapping[str, SeriesLike] | None = None,
    ) -> TeacherPredictor:
        """The fitted teacher in front of some series, to be asked about any of their windows.

        Raises:
            ValueError: it is not fitted, or was fitted with other components.
        """
        if not self.fitted:
            raise ValueError(f"teacher {self.name!r} is not fitted; call fit() first")
        arguments, view = arguments_of(self, series, past_covariates, future_covariates, privileged, "privileged")
        for slot, expected in self.components.items():
            if arguments[slot] is None:
                raise ValueError(f"teacher {self.name!r} was fitted with {slot} {expected}, but is given none")
            check_same_components(arguments[slot], expected, f"{slot} of teacher {self.name!r}")
        answers: networks.NetworkPredictor | global_models.RegressionPredictor
        if is_torch_model(self.model):
            try:
                answers = networks.NetworkPredictor(self.models, networks.windows(self.model, arguments, view))
            except ValueError as error:
                raise ValueError(f"teacher {self.name!r}: {error}") from None
        else:
            answers = global_models.RegressionPredictor(self.models, arguments)
        wanted, own = (list(items[0].components) for items in (as_list(series, "series") or [], arguments["series"]))
        columns = None if wanted == own else tuple(own.index(component) for component in wanted)
        return TeacherPredictor(arguments["series"], answers, len(self.models), self.folds, columns)

    def check_usable(self, rows: Mapping[str, Any], what: str = "privileged", **data: Any) -> None:
        """Raise a ValueError for series, covariates or privileged series (as in `ask`) that cannot be used in `fit`.

        Args:
            rows: darts' `stride` and `max_samples_per_ts`.
        """
        arguments_of(self, **data, what=what, rows=rows)

    def historical_forecasts(
        self,
        series: SeriesLike,
        past_covariates: SeriesLike | None = None,
        future_covariates: SeriesLike | None = None,
        privileged: Mapping[str, SeriesLike] | None = None,
    ) -> list[TimeSeries] | list[list[TimeSeries]]:
        """Forecasts of every window whose whole horizon lies inside `series`, oldest first, as darts gives them with
        `retrain=False, last_points_only=False`; windows whose inputs do not exist are left out.

        Returns:
            A list of forecasts for one series, a list of lists for as_tuple.
        """
        targets = as_list(series, "series") or []
        asked = self.ask(targets, past_covariates, future_covariates, privileged)
        keys = self.training_keys(targets, {}).unique(dim=0)
        values, covered = asked.forecasts(keys)
        answers: list[list[TimeSeries]] = [[] for _ in targets]
        for (index, origin), forecast in zip(keys[covered].tolist(), values[covered].numpy(), strict=True):
            target = targets[index]
            first = origin + self.horizon[0]
            times = target.time_index[first : first + len(forecast)]
            answers[index].append(TimeSeries.from_times_and_values(times, forecast, columns=target.components))
        return answers[0] if isinstance(series, TimeSeries) else answers

    def _fit_one(
        self,
        arguments: dict[str, Any],
        view: View,
        held_out: View | None,
        keys: Tensor,
        folds: Folds | None,
        fold: int,
        said: TeacherPredictor | None,
        fit_kwargs: Mapping[str, Any],
    ) -> Any:
        model = self.model.untrained_model()

        def keep(some: Tensor) -> Tensor:
            assert folds is not None
            return folds.trains(arguments["series"], some, fold)

        chosen = None if folds is None else keep
        if is_torch_model(model):
            networks.fit(model, arguments, view, held_out, chosen, said, **fit_kwargs)
        else:
            global_models.fit(model, arguments, keys, chosen, **fit_kwargs)
        return model

    def training_keys(self, targets: Sequence[TimeSeries], rows: Mapping[str, Any]) -> Tensor:
        """Keys `[N, 2]` of the training windows, with darts' `stride` and `max_samples_per_ts` in `rows`."""
        return training_keys(
            [len(target) for target in targets],
            self.lookback,
            len(self.horizon),
            self.horizon[0] - 1,
            rows.get("stride", 1),
            rows.get("max_samples_per_ts"),
        )
