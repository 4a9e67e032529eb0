"""Network students of the benchmark of harm: two trained networks a seed, blended in the space of their forecasts."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from darts.models import TiDEModel, TSMixerModel
from no_harm_cells import FIXED, GRID, HINDSIGHT, LOOKBACK, USELESS, Group, Part, hidden_series, judge, parts_of
from no_harm_cells import teachers as teachers_of
from no_harm_data import CONFIRMATION, DEVELOPMENT, horizons
from small_networks import QUIET, SMALL_TIDE

from tskd import DistilledModel
from tskd.balance import AutoBalance

NETWORKS: dict[str, tuple[Any, dict[str, Any]]] = {
    "TiDE": (TiDEModel, SMALL_TIDE),
    "TSMixer": (TSMixerModel, {"hidden_size": 16, "ff_size": 16, "num_blocks": 1, "dropout": 0.1}),
}
TEACHERS = ("self", "privileged", "reconstruction", "archive", "shifted", "noise", "other", "wrong")
SIZES, EPOCHS, SEEDS, DECAYS = (150, 500), {150: 20, 500: 8}, 5, (0.1, 1.0, 10.0)
# α from which on a student is trained with it too, beside the blend
TRAINED = 0.02


@dataclass(frozen=True)
class NetworkGroup:
    """Cells of one network on the same data: one for each teacher."""

    network: str
    group: Group

    @property
    def key(self) -> str:
        return f"{self.network}_{self.group.key}"


def network_groups() -> Iterator[NetworkGroup]:
    """All groups: sources of confirmation and development in turn, so that a part of the run has both."""
    mixed = sorted((*CONFIRMATION, *DEVELOPMENT), key=lambda name: (*CONFIRMATION, *DEVELOPMENT).index(name) % 6)
    for fold in range(2):
        for windows in SIZES:
            for place, name in enumerate(mixed):
                horizon = horizons(name)[(place + fold) % 2]
                yield from (NetworkGroup(network, Group(name, horizon, windows, fold)) for network in NETWORKS)


@dataclass(frozen=True, eq=False)
class Trainer:
    """Trains networks of one kind on one training part.

    Attributes:
        part: of one series.
        decay: weight decay.
    """

    network: str
    group: Group
    part: Part
    decay: float = DECAYS[0]

    def student(self, seed: int) -> Any:
        """An untrained network."""
        kind, settings = NETWORKS[self.network]
        return kind(
            input_chunk_length=LOOKBACK,
            output_chunk_length=self.group.horizon,
            batch_size=32,
            n_epochs=EPOCHS[self.group.windows],
            use_reversible_instance_norm=True,
            optimizer_cls=torch.optim.AdamW,
            optimizer_kwargs={"lr": 5e-3, "weight_decay": self.decay},
            random_state=seed,
            pl_trainer_kwargs=QUIET,
            **settings,
        )

    def trained(self, seed: int, teacher: Any = None, balance: Any = 0.0, end: int | None = None) -> DistilledModel:
        """A student of labels, or of a teacher too."""
        part = self.part
        labels = part.series(part.labels, "y", part.start, end or part.end)
        model = DistilledModel(self.student(seed), [] if teacher is None else [teacher], balance=balance)
        hidden = hidden_series([replace(part, end=end or part.end)])
        hidden = {name: series for name, series in hidden.items() if name in model._recipe().series_names}
        return model.fit([labels], privileged=hidden or None)

    def forecasts(self, model: DistilledModel, first: int, last: int) -> np.ndarray:
        """Forecasts `[N, H]` whose first steps are `first` to `last`."""
        part = self.part
        pasts = [part.series(part.values, "y", at - LOOKBACK, at) for at in range(first, last)]
        found = model.predict(self.group.horizon, series=pasts)
        return np.stack([one.values()[:, 0] for one in found])

    def truth(self, first: int, last: int) -> np.ndarray:
        """The labels of the same windows `[N, H]`."""
        return np.stack([self.part.values[at : at + self.group.horizon] for at in range(first, last)])

    def left_out(self) -> tuple[int, int, int]:
        """The end of the labels of the first three quarters of windows, and first and last begin of later windows."""
        cut = self.part.start + LOOKBACK + self.group.windows * 3 // 4
        return cut, cut, self.part.end - self.group.horizon + 1

    def error(self, model: DistilledModel, first: int, last: int) -> float:
        return float(((self.truth(first, last) - self.forecasts(model, first, last)) ** 2).mean())


def quiet() -> None:
    """No chatter of trainers."""
    warnings.filterwarnings("ignore")
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning.fabric", "darts", "tskd"):
        logging.getLogger(name).setLevel(logging.ERROR)


def network_rows(one: NetworkGroup) -> list[dict[str, Any]]:
    """A row for each teacher of a group."""
    quiet()
    group = one.group
    parts = parts_of(group)
    blank = Trainer(one.network, group, parts[0])
    end, *later = blank.left_out()
    tried = [Trainer(one.network, group, parts[0], decay) for decay in DECAYS]
    early = [trainer.trained(0, end=end) for trainer in tried]
    errors = [trainer.error(model, *later) for trainer, model in zip(tried, early, strict=True)]
    best = int(np.argmin(errors))
    trainer, plain = tried[best], early[best]
    first, last = parts[0].end, len(parts[0].values) - group.horizon + 1
    truth = trainer.truth(first, last)
    alone = [trainer.forecasts(trainer.trained(seed), first, last) for seed in range(SEEDS)]
    before, known = trainer.forecasts(plain, *later), trainer.truth(*later)
    fitted_early, rows = teachers_of(group, parts, end), []
    for name, teacher in teachers_of(group, parts).items():
        if name not in TEACHERS:
            continue
        try:
            judged = judge(group, parts, teacher, student=trainer.student(0))
        except ValueError:
            continue
        taught = [trainer.forecasts(trainer.trained(seed, judged.teacher, 1.0), first, last) for seed in range(SEEDS)]
        after = trainer.forecasts(trainer.trained(0, fitted_early[name], 1.0, end), *later)

        def blended(alpha: float, taught: list[np.ndarray] = taught) -> np.ndarray:
            """Error of each seed `[5]`."""
            both = zip(alone, taught, strict=True)
            return np.array([((truth - f0 - alpha * (f1 - f0)) ** 2).mean() for f0, f1 in both])

        alphas = {rule: choice.alpha for rule, choice in judged.choices.items()}
        alphas |= {f"fixed {alpha:g}": alpha for alpha in FIXED}
        alphas["validated"] = min(GRID, key=lambda a: ((known - before - a * (after - before)) ** 2).mean())
        choice, none = judged.choices["prudent"], blended(0.0)
        row: dict[str, Any] = {
            "student": one.network,
            "data": group.name,
            "horizon": group.horizon,
            "windows": group.windows,
            "fold": group.fold,
            "labels": group.labels,
            "teacher": name,
            "useless": name in USELESS,
            "alone": float(none.mean()),
            "decay": trainer.decay,
            "estimate": choice.estimate,
            "standard error": choice.standard_error,
            "effective": choice.effective_blocks,
            "explained": choice.explained[name],
        }
        for rule, alpha in alphas.items():
            logs = np.log(blended(alpha) / none)
            row[f"alpha, {rule}"], row[rule] = alpha, float(blended(alpha).mean() / none.mean())
            row[f"of seeds, {rule}"] = float(logs.std(ddof=1) / np.sqrt(SEEDS))
        row["hindsight"] = float(min(blended(alpha).mean() for alpha in HINDSIGHT) / none.mean())
        if alphas["bold"] > TRAINED:
            # the very same seed, trained with the balance it chooses
            model = trainer.trained(0, judged.teacher, AutoBalance(bold=True))
            row["trained over blend"] = trainer.error(model, first, last) / float(blended(alphas["bold"])[0])
        rows.append(row)
    return rows
