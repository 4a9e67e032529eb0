"""Teachers: a darts model, and what it may see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from darts import TimeSeries
from darts.models.forecasting.forecasting_model import GlobalForecastingModel
from torch import Tensor

from tskd import _darts
from tskd.batches import WindowData
from tskd.checks import SeriesLike, as_list, as_privileged, components_of, refuse_other_components, require_windows
from tskd.privileged import FutureHorizon, Source
from tskd.views import View, widen
from tskd.windows import Windows, training_keys_of

BATCH = 1024


class Teacher:
    """A darts torch model, and a declaration of what it may see beyond the deployable inputs.

    Args:
        model: a darts torch model. If it is fitted it is used as it is and never changed; else a copy is fitted, on
            the student's rows.
        privileged: source or sources of privileged information; None for an ordinary teacher.
        name: for messages, logs and `Fixed` weights; the model's class name if None.

    Raises:
        TypeError: the model cannot be a teacher, or a source is none.
        ValueError: a source needs slots or steps that the model does not have.
    """

    def __init__(
        self,
        model: Any,
        privileged: Source | Sequence[Source] | None = None,
        name: str | None = None,
    ) -> None:
        self.model = refuse_unteachable(model, "teacher")
        self.name = type(model).__name__ if name is None else name
        self.sources: tuple[Source, ...] = (
            () if privileged is None else (privileged,) if isinstance(privileged, Source) else tuple(privileged)
        )
        self._components: dict[str, list[str]] = {}
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"teacher name {name!r}: give a text")
        for source in self.sources:
            self._refuse_unreadable(source)
        if len(set(self.sources)) < len(self.sources):
            raise ValueError(f"teacher {self.name!r} lists a source twice: {list(self.sources)}")

    def __repr__(self) -> str:
        sources = f", privileged={list(self.sources)}" if self.sources else ""
        return f"Teacher({type(self.model).__name__}{sources}, name={self.name!r}{', fitted' if self.fitted else ''})"

    @property
    def fitted(self) -> bool:
        return _darts.is_fitted(self.model)

    @property
    def names(self) -> list[str]:
        """Keys of `privileged` that the sources read."""
        return list(dict.fromkeys(source.name for source in self.sources if source.name is not None))

    @property
    def horizon(self) -> range:
        """Steps after the origin that the model forecasts."""
        return horizon_of(self.model)

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
        **fit_kwargs: Any,
    ) -> Teacher:
        """A teacher fitted on a copy of the model; this one is unchanged.

        Windows for which a privileged value does not exist (past the end of `series`) are left out.

        Args:
            series: targets; nothing of `privileged` after the end of a series is read.
            privileged: series by name, each one or as many as there are targets.
            val_series: for darts' validation loss; a privileged teacher needs `val_privileged` with it.
            fit_kwargs: darts' own, handed on to the model's `fit`.

        Raises:
            ValueError: data that cannot be used; see the message.
        """
        if self.fitted:
            raise ValueError(f"teacher {self.name!r} is fitted already, and fitted teachers are never changed")
        model = self.model.untrained_model()
        rows = {name: value for name, value in fit_kwargs.items() if name in ("stride", "max_samples_per_ts")}
        train = self._arguments(series, past_covariates, future_covariates, privileged, "privileged", rows)
        val = None
        if val_series is not None:
            val = self._arguments(
                val_series, val_past_covariates, val_future_covariates, val_privileged, "val_privileged", rows
            )
            fit_kwargs |= {f"val_{name}": value for name, value in val[0].items() if value is not None}

        def run(trainer: Any, network: Any, data: Any, checkpoint: str | None) -> None:
            found, held_out = _darts.data_of(data)
            sets = [WindowData(*_complete(found, train[1]))]
            if held_out is not None and val is not None:
                sets.append(WindowData(*_complete(held_out, val[1])))
            _darts.replace_data(data, sets[0], sets[1] if len(sets) > 1 else None)
            try:
                trainer.fit(model=network, datamodule=data, ckpt_path=checkpoint)
            finally:
                for items in sets:
                    items.release()

        _darts.fit_through(model, run, **train[0], **fit_kwargs)
        fitted = Teacher(model, self.sources, self.name)
        fitted._components = components_of(**train[0])
        return fitted

    def forecasts(self, windows: Windows, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Point forecasts of the windows `keys [M, 2]`, and for which of them the inputs exist.

        Returns:
            `[M, H, C]` over the teacher's own horizon, NaN where an input is missing; `[M]`.
        """
        covered = windows.covers(keys)
        parts = [_darts.forecast(self.model, windows.gather(part, labels=False)) for part in keys[covered].split(BATCH)]
        if not parts:
            return torch.full((len(keys), 1, 1), torch.nan), covered
        answered = torch.cat(parts)
        values = answered.new_full((len(keys), *answered.shape[1:]), torch.nan)
        values[covered] = answered
        return values, covered

    def windows(
        self,
        series: SeriesLike,
        past_covariates: SeriesLike | None = None,
        future_covariates: SeriesLike | None = None,
        privileged: Mapping[str, SeriesLike] | None = None,
        what: str = "privileged",
    ) -> Windows:
        """What the fitted teacher sees of every window of some series.

        Raises:
            ValueError: it is not fitted, or was fitted with other components.
        """
        if not self.fitted:
            raise ValueError(f"teacher {self.name!r} is not fitted; call fit() first")
        given, view = self._arguments(series, past_covariates, future_covariates, privileged, what)
        for slot, expected in self._components.items():
            refuse_other_components(given[slot], expected, f"{slot} of teacher {self.name!r}")
        past, future = _darts.encode(self.model, given["series"], given["past_covariates"], given["future_covariates"])
        windows = Windows.of(
            given["series"],
            past,
            future,
            lookback=self.model.input_chunk_length,
            horizon=self.model.output_chunk_length,
            output_shift=self.model.output_chunk_shift,
            static_covariates=_darts.uses_static_covariates(self.model),
            visible=view.visible,
        )
        self._refuse_other_dimensions(windows)
        return windows

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
            A list of forecasts for one series, a list of lists for several.
        """
        targets = as_list(series, "series") or []
        windows = self.windows(targets, past_covariates, future_covariates, privileged)
        keys = training_keys_of(self.model, targets).unique(dim=0)
        values, covered = self.forecasts(windows, keys)
        answers: list[list[TimeSeries]] = [[] for _ in targets]
        for (index, origin), forecast in zip(keys[covered].tolist(), values[covered].numpy(), strict=True):
            target = targets[index]
            first = origin + self.horizon[0]
            times = target.time_index[first : first + len(forecast)]
            answers[index].append(TimeSeries.from_times_and_values(times, forecast, columns=target.components))
        return answers[0] if isinstance(series, TimeSeries) else answers

    def _arguments(
        self,
        series: SeriesLike,
        past_covariates: SeriesLike | None,
        future_covariates: SeriesLike | None,
        privileged: Mapping[str, SeriesLike] | None,
        what: str,
        rows: Mapping[str, Any] | None = None,
    ) -> tuple[dict[str, Any], View]:
        """The model's own series and covariates, checked and widened by what the sources show.

        Args:
            rows: darts' `stride` and `max_samples_per_ts`; if given, covariates must cover the training windows.
        """
        prefix = "val_" if what.startswith("val_") else ""
        targets = as_list(series, f"{prefix}series") or []
        known = as_privileged(privileged, self.names, len(targets), f"{what} of teacher {self.name!r}")
        deployable = {
            slot: as_list(given, f"{prefix}{slot}_covariates", len(targets)) if _darts.reads(self.model, slot) else None
            for slot, given in (("past", past_covariates), ("future", future_covariates))
        }
        if rows is not None:
            keys = training_keys_of(self.model, targets, **rows)
            own = {f"{slot}_covariates": items for slot, items in deployable.items()}
            require_windows({"series": targets, **own}, self.model, keys, prefix)
        view = widen(
            targets,
            deployable["past"],
            deployable["future"],
            known,
            self.sources,
            self.model.output_chunk_length,
            self.model.output_chunk_shift,
        )
        arguments = {
            "series": targets,
            "past_covariates": view.past_covariates,
            "future_covariates": view.future_covariates,
        }
        return arguments, view

    def _refuse_unreadable(self, source: Any) -> None:
        if not isinstance(source, Source):
            raise TypeError(f"teacher {self.name!r}: privileged holds {type(source).__name__}, not a source")
        model = type(self.model).__name__
        if not _darts.reads(self.model, source.slot):
            raise ValueError(
                f"{source!r} needs {source.slot} covariates, which {model} does not take; these models do: "
                f"{', '.join(_darts.models_that_read(source.slot))}"
            )
        last = self.horizon[-1]
        if isinstance(source, FutureHorizon) and source.reads_until(last) > last:
            raise ValueError(f"{source!r} reads beyond step {last}, the end of the horizon of {model}: lower end=")
        if isinstance(source, FutureHorizon) and source.start > last:
            raise ValueError(f"{source!r} starts beyond step {last}, the end of the horizon of {model}: lower start=")

    def _refuse_other_dimensions(self, windows: Windows) -> None:
        for slot, expected in _darts.dimensions(self.model).items():
            if slot in ("static_covariates", "future_target"):
                continue
            found = windows.slots[slot].table.shape[1] if slot in windows.slots else None
            if found != expected:
                raise ValueError(
                    f"teacher {self.name!r} was fitted with {expected} components of {slot}, but is given {found}; "
                    "check its sources, their order, and the covariates"
                )


def horizon_of(model: Any) -> range:
    """Steps after the origin that a model forecasts."""
    return range(model.output_chunk_shift + 1, model.output_chunk_shift + model.output_chunk_length + 1)


def refuse_unteachable(model: Any, role: str) -> Any:
    """The model, if tskd can train or ask it; the reason why not otherwise."""
    kind = type(model).__name__
    if isinstance(model, _darts.RNNModel):
        raise TypeError(f"{kind} predicts one step at a time and cannot be a {role}; use BlockRNNModel")
    if isinstance(model, _darts.TorchForecastingModel):
        return model
    if isinstance(model, GlobalForecastingModel):
        raise TypeError(f"{kind} is not a torch model; a {role} must be one of darts' torch models")
    raise TypeError(
        f"a {role} must be a darts torch model, got {kind}: a local model would have to be fitted anew for every window"
    )


def _complete(dataset: Any, view: View) -> tuple[Tensor, Windows]:
    keys, windows = _darts.training_windows(dataset, view.visible)
    covered = windows.covers(keys)
    if not bool(covered.any()):
        raise ValueError("no training window has all its inputs")
    return keys[covered], windows
