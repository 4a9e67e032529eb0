"""Parts of a user's own in an experiment: in Python as objects, classes or functions of a seed; in a file by name, if
their module is allowed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from tests.helpers.experiments import darts_model, toy_config
from tests.helpers.own_parts import (
    Deaf,
    Halved,
    Hidden,
    Lags,
    MyTeacher,
    Plain,
    Seeded,
    Sensors,
    Short,
    Wide,
    seeded_of,
    short_of,
)
from tskd.cli import main
from tskd.experiment import ConfigError, Experiment, Study
from tskd.experiment.config.objects import build_object, seeded_model
from tskd.experiment.config.plain import reproducible
from tskd.experiment.config.roles import LOSS, PRIVILEGED, WEIGHTING

HERE = "tests.helpers.own_parts"
STUDENTS: dict[str, tuple[Any, type, tuple[int, int]]] = {
    "object": (Wide(7, 4, n_epochs=1, odd=3), Wide, (7, 4)),
    "class": (Short, Short, (6, 4)),
    "mapping": ({"class": Wide, "kwargs": {"input_chunk_length": 5, "output_chunk_length": 4, "odd": 2}}, Wide, (5, 4)),
    "function": (short_of, Short, (6, 4)),
}


@pytest.mark.parametrize("given", STUDENTS)
def test_a_model_of_ones_own_is_made_afresh_for_every_seed(given: str) -> None:
    value, made, lengths = STUDENTS[given]
    experiment = Experiment(**toy_config(student=value))
    assert experiment.chunk_lengths(experiment.student) == lengths
    models: list[Any] = [seeded_model(experiment.student, seed) for seed in (3, 4)]
    one, two = models
    assert [type(model) for model in models] == [made, made] and one is not two
    assert (one.model_params["random_state"], two.model_params["random_state"]) == (3, 4)
    # an experiment's own trainer, and what the user gave
    assert one.trainer_params["logger"] is False and getattr(one, "odd", 0) == {"object": 3, "mapping": 2}.get(given, 0)
    if given == "function":
        assert (one.n_epochs, two.n_epochs) == (2, 1)
        tuned = seeded_model(experiment.student.model_copy(update={"kwargs": {"optimizer_kwargs": {"eps": 1e-3}}}), 4)
        assert tuned.pl_module_params["optimizer_kwargs"] == {"lr": 0.01, "eps": 1e-3} and tuned.n_epochs == 1


def test_parts_of_ones_own_are_made_from_the_seed() -> None:
    model = Lags(lags=8, output_chunk_length=4, lags_past_covariates=[-1])
    losses = [seeded_of, Halved, Halved("mae")]
    experiment = Experiment(
        **toy_config(
            teachers={"lags": {"model": model, "privileged": Sensors("sensor")}},
            arms=[{"name": "own", "teachers": "lags", "losses": losses, "weighting": Plain}],
        )
    )
    (arm,) = [arm for arm in experiment.arms if arm.name == "own"]
    made: list[Any] = [build_object(loss, LOSS, 5) for loss in arm.losses]
    assert [type(loss) for loss in made] == [Seeded, Halved, Halved] and made[2].metric == "mae"
    assert made[0].number == float(torch.rand(1, generator=torch.Generator().manual_seed(5)))
    assert build_object(arm.losses[0], LOSS, 6).number != made[0].number
    assert type(build_object(arm.weighting, WEIGHTING, 5)) is Plain
    assert isinstance(build_object(experiment.teachers["lags"].privileged[0], PRIVILEGED), Sensors)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"student": Deaf(8, 4)}, r"own_parts\.Deaf: .*random_state"),
        ({"student": Hidden}, r"own_parts\.Hidden: .*input_chunk_length"),
        ({"student": Lags(lags=8)}, "not a darts torch model"),
        ({"student": {"class": Lags, "kwargs": {"lags": 8}}}, r"own_parts\.Lags' is not allowed as darts torch model"),
        ({"student": seeded_of}, r"own_parts\.seeded_of\(0\) makes Seeded.*not a darts torch model"),
        ({"student": lambda: None}, "takes 0 positional arguments"),
        ({"teachers": {"mine": MyTeacher(Short())}, "arms": []}, "teacher 'Short', a MyTeacher"),
    ],
    ids=["deaf", "hidden", "object", "class", "loss", "no-seed", "teacher"],
)
def test_what_no_seed_could_make_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Experiment(**toy_config(**change))


FILE = f"""
name: own
data: co2
student: {{class: {HERE}.Wide, kwargs: {{odd: 3, n_epochs: 1}}}}
lookback: 7
horizon: 4
teachers:
  lags:
    model: {{class: {HERE}.Lags, kwargs: {{lags: 5, lags_past_covariates: [-1]}}}}
    privileged: {{class: {HERE}.Sensors, kwargs: {{name: sensor}}}}
arms:
  - {{name: own, teachers: lags, losses: [{HERE}.Halved, OutputKD], weighting: {HERE}.Plain, balance: 0.5}}
seeds: [3]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "own.yaml"
    path.write_text(FILE)
    return path


def test_a_file_names_classes_of_an_allowed_module_and_no_others(file: Path) -> None:
    with pytest.raises(ConfigError, match=rf"{HERE}\.Wide' is not allowed as darts torch model.*--allow-module {HERE}"):
        Experiment.from_yaml(file)
    with pytest.raises(ConfigError, match=rf"{HERE}\.Wide' is not allowed"):
        Experiment.from_yaml(file, ["tests.helpers"])
    read = Experiment.from_yaml(file, [HERE])
    assert read.student.class_ is Wide and read.chunk_lengths(read.student) == (7, 4)
    lags, arm = darts_model(read.teachers["lags"]), read.arms[1]
    assert lags.class_ is Lags and lags.kwargs == {"lags": 5, "lags_past_covariates": [-1], "output_chunk_length": 4}
    assert [loss.class_ for loss in arm.losses] == [Halved, "OutputKD"] and arm.weighting.class_ is Plain
    # what is written of it is read again, and is the same in Python
    assert reproducible(read)
    file.write_text(read.to_yaml())
    again = Study.from_yaml(file, [HERE]).cases["own"]
    assert again == read and again.to_yaml() == read.to_yaml()
    assert Experiment(**dict(read)) == read


@pytest.mark.parametrize(
    ("module", "old", "new", "message"),
    [
        ("no.such", "", "", "the module 'no.such' that is allowed cannot be imported: No module named 'no'"),
        (HERE, "Wide", "Wid", f"the module '{HERE}' has no class 'Wid'. Did you mean 'Wide'?"),
        (HERE, "parts.Wide", "parts.Halved", "own_parts.Halved' is not allowed as darts torch model"),
        (HERE, "parts.Wide", "parts.short_of", f"the module '{HERE}' has no class 'short_of'"),
        ("subprocess", f"{HERE}.Plain", "subprocess.Popen", "'subprocess.Popen' is not allowed as weighting"),
    ],
)
def test_an_allowed_module_that_lacks_a_class_is_named(
    file: Path, module: str, old: str, new: str, message: str
) -> None:
    file.write_text(file.read_text().replace(old, new) if old else file.read_text())
    with pytest.raises(ConfigError) as raised:
        Experiment.from_yaml(file, [HERE, module])
    assert message in str(raised.value)


def test_a_function_is_not_written_as_if_a_file_could_hold_it() -> None:
    assert not reproducible(Experiment(**toy_config(student=short_of)))
    assert f"student: {HERE}.short_of" in Experiment(**toy_config(student=short_of)).to_yaml()


def test_the_command_line_allows_modules_of_the_working_folder(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine_of_this_test.py").write_text(f"from {HERE} import Wide\n\nclass Net(Wide):\n    pass\n")
    file.write_text(
        "{name: own, data: sp500, student: {class: mine_of_this_test.Net, kwargs: {n_epochs: 1, odd: 2}}, lookback: 7, "
        "horizon: 4, seeds: [3]}"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert main(["run", str(file), "--dry-run"]) == 2
    assert "--allow-module mine_of_this_test" in capsys.readouterr().err
    assert main(["run", str(file), "--dry-run", "--allow-module", "mine_of_this_test"]) == 0
    del sys.modules["mine_of_this_test"]
