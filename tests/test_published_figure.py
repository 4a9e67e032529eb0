"""A published figure from its configuration: DLinear on ETTh1, 336 steps to 96, test MSE .375 and MAE .399."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tskd.callbacks import BestEpoch
from tskd.cli import main
from tskd.experiment import Experiment
from tskd.experiment.config.yaml_file import read_yaml

CONFIG = Path(__file__).parents[1] / "configs" / "dlinear_etth1.yaml"
RATES = [5e-3, 2.5e-3, 1.25e-3, 6.25e-4]
"""Learning rates as they stand after the first epochs: not halved after the first, but after every later one."""


def test_the_configuration_is_of_the_published_protocol(
    data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # the fit that a dry run times is that of the slow test
    monkeypatch.setattr("tskd.experiment.run.dry_run._timed_fit", lambda _: 1.0)
    monkeypatch.chdir(tmp_path)
    assert main(["run", str(CONFIG), "--dry-run"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for said in (
        "8,640 steps to train, 2,880 to validate",
        "2,880 to test",
        # 8640 - 336 - 96 + 1, 2880 - 96 + 1
        "of 336 steps to 96: 8,209 to train, 2,785 to validate, 2,785 to test",
        "alone (1 candidate)",
        "3 fits in all",
    ):
        assert said in shown
    kwargs = read_yaml(CONFIG)["student"]["kwargs"]
    assert (kwargs["batch_size"], kwargs["shared_weights"], kwargs["kernel_size"]) == (32, True, 25)


@pytest.mark.slow
def test_the_published_figure(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    errors: list[float] = []
    original = BestEpoch.on_validation_end

    def watched(self: BestEpoch, trainer: Any, pl_module: Any) -> None:
        original(self, trainer, pl_module)
        if not trainer.sanity_checking:
            rates.append(trainer.optimizers[0].param_groups[0]["lr"])
            errors.append(float(trainer.callback_metrics["val_loss"]))

    monkeypatch.setattr(BestEpoch, "on_validation_end", watched)
    results = Experiment(**{**read_yaml(CONFIG), "seeds": [0]}).run(progress=False)
    (row,) = results.rows.to_dict("records")
    assert row["windows"] == 2785
    assert row["mse"] == pytest.approx(0.375, abs=0.004) and row["mae"] == pytest.approx(0.399, abs=0.004)
    assert rates[: len(RATES)] == pytest.approx(RATES)
    # patience 3, and the best epoch, not the last, is the one that is scored
    best = errors.index(min(errors))
    assert best < len(errors) - 1 and len(errors) <= best + 4
    assert row["validation_mse"] == pytest.approx(errors[best], rel=1e-3)
