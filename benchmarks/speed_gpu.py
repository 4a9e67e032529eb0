"""Parts of `speed.py` that need a GPU: students of some size, a teacher of Chronos-2's size, bf16 beside float32."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tiny_chronos
import torch
from darts.models import Chronos2Model, TFTModel, TSMixerModel
from small_networks import QUIET
from speed_timing import noise, ratios, wall_seconds
from torch.profiler import ProfilerActivity, profile

from tskd import DistilledModel, Teacher

BASE: dict[str, Any] = {"d_model": 768, "d_kv": 64, "d_ff": 3072, "num_layers": 12, "num_heads": 12}
STUDENTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "TSMixer": (TSMixerModel, {"hidden_size": 256, "ff_size": 256}),
    "TFT": (TFTModel, {"hidden_size": 64, "add_relative_index": True}),
}
# what the host calls when it waits for the device
WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize")


def gpu_parts(
    folder: str, accelerator: str = "gpu", rows: int = 8_640, size: dict[str, Any] = BASE
) -> dict[str, Callable[[], dict[str, Any]]]:
    """What is timed on a GPU, by name; nothing where there is none.

    Args:
        accelerator: `"cpu"` to try the parts where there is no GPU.
        rows: of the series.
        size: of the teacher.
    """
    if accelerator == "gpu" and not torch.cuda.is_available():
        return {}
    series = noise(rows)

    def student(name: str, precision: str) -> Any:
        kind, options = STUDENTS[name]
        trainer = {**QUIET, "accelerator": accelerator, "precision": precision}
        return kind(96, 96, n_epochs=1, batch_size=256, random_state=0, pl_trainer_kwargs=trainer, **options)

    def teacher() -> Teacher:
        weights = Path(folder) / "chronos"
        tiny_chronos.make(weights, {**tiny_chronos.CONFIG, **size})
        trainer = {**QUIET, "accelerator": accelerator}
        model = Chronos2Model(96, 48, local_dir=str(weights), batch_size=256, pl_trainer_kwargs=trainer)
        return Teacher(model, name="large").fit(series)

    def fits(name: str) -> dict[str, Any]:
        large, cache = teacher(), Path(folder) / "answers"

        def seconds(distils: bool, precision: str) -> float:
            own = student(name, precision)
            model = DistilledModel(own, large) if distils else own
            options = {"cache": cache} if distils else {}
            return wall_seconds(lambda: model.fit(series, verbose=False, **options))

        found = ratios(
            {
                "darts": lambda: seconds(False, "32-true"),
                "K = 1": lambda: seconds(True, "32-true"),
                "darts, bf16": lambda: seconds(False, "bf16-mixed"),
                "K = 1, bf16": lambda: seconds(True, "bf16-mixed"),
            }
        )

        def waits(on: Any) -> int:
            """How often the host waits for the device in a fit."""
            model = DistilledModel(student(name, "32-true"), large)
            with profile(activities=list({ProfilerActivity.CPU, *torch.profiler.supported_activities()})) as taken:
                model.fit(on, verbose=False, cache=cache)
            return sum(event.count for event in taken.key_averages() if event.key in WAITS)

        half = series[: rows // 2]
        steps = (len(series) - len(half)) / 256
        return {**found, "waits of the host, a step": round((waits(series) - waits(half)) / steps, 2)}

    return {f"gpu, {name}": lambda name=name: fits(name) for name in STUDENTS}  # type: ignore[misc]
