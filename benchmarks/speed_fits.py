"""Parts of `speed.py`: epochs of distilled fits, their losses and optimizers, and what a fit costs besides."""

from __future__ import annotations

import cProfile
import pstats
import statistics
from collections.abc import Callable
from typing import Any

import torch
from darts import TimeSeries
from darts.models import DLinearModel, NHiTSModel, TiDEModel, TSMixerModel
from small_networks import QUIET
from speed_timing import TURNS, cpu_seconds, noise, ratios
from training_clock import Clock

from tskd import DistilledModel, Teacher, losses
from tskd._core.darts.capabilities import window_span
from tskd._core.darts.forward import network_prediction
from tskd._core.model_inputs import ModelInputs
from tskd._core.window_keys import WindowSpan, training_keys
from tskd._core.windows import Windows
from tskd.weighting import CAMKD, Uniform

STUDENTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "DLinear, shared": (DLinearModel, {"shared_weights": True}),
    "DLinear": (DLinearModel, {}),
    "TiDE": (TiDEModel, {}),
    "NHiTS": (NHiTSModel, {}),
    "TSMixer": (TSMixerModel, {}),
}
SETTINGS: dict[str, Any] = {"input_chunk_length": 96, "output_chunk_length": 96, "random_state": 0}
LOSSES: dict[str, losses.DistillationLoss] = {
    "`OutputKD`": losses.OutputKD(),
    "`OutputKD`, Huber": losses.OutputKD("huber"),
    "`LevelShapeKD`": losses.LevelShapeKD(),
    "`MultiScaleKD`": losses.MultiScaleKD(),
    "`MultiPeriodKD`": losses.MultiPeriodKD(),
    "`TemporalRelation`": losses.TemporalRelation(),
    "`ChannelRelation`": losses.ChannelRelation(),
    "`SampleRelation`": losses.SampleRelation(),
    "`SampleRelation`, angles": losses.SampleRelation("angle"),
    "`TeacherBounded`": losses.TeacherBounded(),
    "`AttentiveImitation`": losses.AttentiveImitation(),
    "`HorizonWeighted`": losses.HorizonWeighted(),
}


def student_of(name: str, batch: int = 256, callbacks: list[Any] | None = None, **options: Any) -> Any:
    """A student of the benchmark, for one epoch."""
    kind, own = STUDENTS[name]
    trainer = {**QUIET, "callbacks": callbacks or [], **options.pop("trainer", {})}
    return kind(n_epochs=1, batch_size=batch, pl_trainer_kwargs=trainer, **{**own, **SETTINGS, **options})


def bare(model: Any, series: TimeSeries, batch: int, *, fused: bool) -> float:
    """An epoch over all windows, which are gathered beforehand."""
    network = model.model
    windows = Windows.of(ModelInputs([series]), window_span(model))
    slots = windows.gather(training_keys([len(series)], window_span(model)))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, fused=fused)
    network.train()

    def epoch() -> None:
        for chosen in torch.randperm(len(slots["past_target"])).split(batch):
            part = {name: values.index_select(0, chosen) for name, values in slots.items()}
            loss = torch.nn.functional.mse_loss(network_prediction(network, part).squeeze(-1), part["future_target"])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return cpu_seconds(epoch)


def fit_parts(cache: str) -> dict[str, Callable[[], dict[str, Any]]]:
    """What is timed of fits, by name."""
    series, less = noise(8_640), noise(2_880)
    teachers = [
        Teacher(student_of("DLinear, shared", random_state=seed), name=f"t{seed}").fit(series, verbose=False)
        for seed in range(3)
    ]

    def training(student: Any, clock: Clock, on: Any, count: int | None, *methods: Any) -> float:
        """Seconds of an epoch, of darts' own if there is no number of teachers."""
        if count is None:
            student.fit(on, verbose=False)
        else:
            DistilledModel(student, teachers[:count], *methods).fit(on, cache=cache, verbose=False)
        return clock.seconds

    def epochs(name: str, batch: int) -> dict[str, float]:
        def timed(count: int | None, weighting: Any = None) -> float:
            clock = Clock()
            return training(student_of(name, batch, [clock]), clock, series, count, None, weighting or Uniform())

        fitted = student_of(name, batch).fit(series[:300], verbose=False)
        return ratios(
            {
                "darts": lambda: timed(None),
                "K = 0": lambda: timed(0),
                "K = 1": lambda: timed(1),
                "K = 3": lambda: timed(3),
                "K = 3, adapts": lambda: timed(3, CAMKD()),
                "bare": lambda: bare(fitted, series, batch, fused=False),
                "bare, fused": lambda: bare(fitted, series, batch, fused=True),
            }
        )

    def fused(name: str) -> dict[str, float]:
        def timed(count: int | None, **trainer: Any) -> float:
            clock = Clock()
            student = student_of(name, 32, [clock], optimizer_kwargs={"fused": True}, trainer=trainer)
            return training(student, clock, series, count)

        fitted = student_of(name, 32).fit(series[:300], verbose=False)
        clipped = {"gradient_clip_val": 1.0}
        return ratios(
            {
                "bare": lambda: bare(fitted, series, 32, fused=True),
                "K = 1": lambda: timed(1),
                "K = 1, clipped": lambda: timed(1, **clipped),
                "darts": lambda: timed(None),
                "darts, clipped": lambda: timed(None, **clipped),
            }
        )

    def by_loss() -> dict[str, float]:
        def timed(loss: losses.DistillationLoss) -> float:
            clock = Clock()
            return training(student_of("TiDE", 32, [clock]), clock, less, 3, loss)

        calls = {name: lambda loss=loss: timed(loss) for name, loss in LOSSES.items()}
        return ratios(calls, turns=9)

    def profiled() -> dict[str, float]:
        model = DistilledModel(student_of("DLinear, shared", 32), teachers[:1])
        with cProfile.Profile() as profile:
            model.fit(series, cache=cache, verbose=False)
        taken = pstats.Stats(profile).stats  # type: ignore[attr-defined]

        def milliseconds(*names: str) -> float:
            """A step, of functions by the end of their file's path and their name."""
            wanted = [name.split(":") for name in names]
            found = [v[3] for k, v in taken.items() if any(k[0].endswith(a) and k[2] == b for a, b in wanted)]
            assert len(found) >= len(wanted), names
            return round(1e3 * sum(found) / -(-len(training_keys([len(series)], WindowSpan(96, 96))) // 32), 2)

        return {
            "all": milliseconds("bulk_steps.py:advance"),
            "forward": milliseconds("darts/forward.py:network_output"),
            "backward": milliseconds("_tensor.py:backward"),
            "Adam": milliseconds("adam.py:adam"),
            "gather": milliseconds("batches.py:__getitems__"),
            "teachers": milliseconds("blend.py:take", "objective.py:blended"),
            "logging": milliseconds("means.py:add", "means.py:end_step", "history.py:add"),
        }

    def fixed() -> dict[str, float]:
        """Seconds of a fit of one epoch that are not training, beyond those of darts."""

        def beside(distils: bool, folder: str | None = None) -> float:
            clock = Clock()
            student = student_of("DLinear, shared", 256, [clock])
            model = DistilledModel(student, teachers[:1]) if distils else student
            options: dict[str, Any] = {"cache": folder} if distils else {}
            return cpu_seconds(lambda: model.fit(series, verbose=False, **options)) - clock.seconds

        warm, cold = [], []
        beside(True, cache)
        for _ in range(TURNS):
            own = beside(False)
            warm.append(beside(True, cache) - own)
            cold.append(beside(True) - own)
        return {"warm": round(statistics.median(warm), 3), "cold": round(statistics.median(cold), 3)}

    parts: dict[str, Callable[[], dict[str, Any]]] = {
        f"epochs, {name}, {batch}": lambda name=name, batch=batch: epochs(name, batch)  # type: ignore[misc]
        for batch in (32, 256)
        for name in STUDENTS
    }
    parts |= {f"fused, {name}": lambda name=name: fused(name) for name in STUDENTS}  # type: ignore[misc]
    return {**parts, "losses": by_loss, "profile": profiled, "fixed": fixed}
