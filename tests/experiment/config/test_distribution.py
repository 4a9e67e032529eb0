"""Students that forecast a distribution: which can be scored, and which arms can train all of it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tests.helpers.experiments import toy_config, toy_data, toy_model
from tskd.experiment import ConfigError, Experiment, Study
from tskd.experiment.config.distribution import DECILES, ForecastDistribution
from tskd.experiment.controls.expansion import expanded
from tskd.experiment.run.case_plan import plan_study
from tskd.experiment.run.rehearsal import rehearse

QUANTILES = [0.05, 0.25, 0.5, 0.75, 0.95]


def student(name: str = "QuantileRegression", **kwargs: Any) -> dict[str, Any]:
    given = {"quantiles": QUANTILES} if name == "QuantileRegression" else {}
    return toy_model(normalize=False, likelihood={"class": name, "kwargs": given | kwargs})


def experiment(**changes: Any) -> Experiment:
    return Experiment(**toy_config(**{"student": student(), "teachers": {}, "arms": [], "seeds": [3]} | changes))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (student(), ForecastDistribution(tuple(QUANTILES), "median")),
        (student("GaussianLikelihood"), ForecastDistribution(DECILES, "mean")),
        (student("LaplaceLikelihood"), ForecastDistribution(DECILES, "mean")),
        (student("CauchyLikelihood"), ForecastDistribution(DECILES, "mean")),
        (student(quantiles=[0.5]), None),
        (toy_model(), None),
    ],
    ids=["quantiles", "Gaussian", "Laplace", "Cauchy", "the median alone", "points"],
)
def test_how_a_student_is_scored(spec: dict[str, Any], expected: ForecastDistribution | None) -> None:
    assert experiment(student=spec).distribution == expected


def test_a_default_likelihood_counts() -> None:
    """A TFT forecasts quantiles unless it is told otherwise."""
    kwargs = {"input_chunk_length": 8, "output_chunk_length": 4, "add_relative_index": True}
    found = experiment(student={"class": "TFTModel", "kwargs": kwargs}).distribution
    assert found is not None and (len(found.levels), found.nominal, found.point) == (17, 0.8, "median")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("PoissonLikelihood", "a Poisson"), ("BetaLikelihood", "a Beta"), ("HalfNormalLikelihood", "a HalfNormal")],
)
def test_a_likelihood_of_other_values_than_z_scored_ones_is_refused(name: str, kind: str) -> None:
    message = f"likelihood: {kind} is not a distribution of any value.*targets are z-scored.*`likelihood: null`"
    with pytest.raises(ValidationError, match=message):
        experiment(student=student(name))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scored": [1, 6]}, "student: a distribution is not rolled forward: it forecasts 4 steps, and step 6 is"),
        (
            {"arms": [{"name": "short", "students": [{}, {"output_chunk_length": 2}]}]},
            "arm 'short': students: a distribution is not rolled forward: it forecasts 2 steps, and step 4 is scored",
        ),
        (
            {"arms": [{"name": "points", "students": [{"likelihood": None}]}]},
            r"arm 'points': students: it would be scored by points, and the student by the median and levels \[0.05",
        ),
        (
            {"arms": [{"name": "mean", "students": [{}, {"likelihood": None, "n_epochs": 3}]}]},
            "arm 'mean': students: it would be scored by points",
        ),
        (
            {"arms": [{"name": "smooth", "smoothing": [3, 5]}]},
            "arm 'smooth': smoothing: averages are all that it learns, and they would train no spread",
        ),
    ],
    ids=["scored", "short", "points", "another", "smoothed"],
)
def test_what_cannot_be_scored_as_a_distribution_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        experiment(**changes)


SENSOR = {"class": "CostlySensors", "kwargs": {"name": "sensor"}}
TEACHERS: dict[str, dict[str, Any]] = {
    "future": {"model": student(), "privileged": {"class": "FutureHorizon", "kwargs": {"end": 2}}},
    "gaussian": {
        "model": student("GaussianLikelihood"),
        "privileged": {"class": "CostlySensors", "kwargs": {"name": "sensor"}},
    },
    "point": {"model": toy_model()},
}
UNTRAINED = "nothing would train the student's outputs .* of .'y'. at steps .1, 2, 3, 4.: balance=.*1.0.* leaves labels"


def checked(arm: dict[str, Any], **changes: Any) -> None:
    made = experiment(teachers=TEACHERS, arms=[{"name": "taught", **arm}], **changes)
    (plan,) = plan_study(Study("s", {"c": made}))
    rehearse(plan)


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        ({"teachers": "future", "balance": [0, 0.5, 1]}, f"arm 'taught': {UNTRAINED}.*give QuantileKD"),
        ({"teachers": "point", "balance": 1.0}, f"arm 'taught': {UNTRAINED}"),
        ({"teachers": ["future", "point"], "losses": "QuantileKD", "balance": 0.5}, "'point'.*forecasts points"),
        ({"teachers": "future", "losses": "LikelihoodKD", "balance": 0.5}, "use QuantileKD"),
    ],
    ids=["one candidate", "all", "a teacher of points", "another loss"],
)
def test_an_arm_that_would_leave_an_output_untrained_is_refused_before_any_training(
    arm: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        checked(arm)


def test_an_arm_whose_losses_train_all_outputs_is_not() -> None:
    checked({"teachers": "future", "losses": "QuantileKD", "balance": [0, 0.5, 1]})
    checked({"teachers": ["future", "point"], "balance": [0.25, 0.5]})
    gaussian = {"teachers": "gaussian", "losses": "LikelihoodKD", "balance": 1.0}
    checked(gaussian, student=student("GaussianLikelihood"))


def test_controls_that_would_forecast_no_distribution_do_not_apply() -> None:
    arms = [{"name": "taught", "teachers": "gaussian", "losses": "LikelihoodKD", "balance": 0.5}]
    made = experiment(teachers=TEACHERS, arms=arms, student=student("GaussianLikelihood"), controls="all")
    reasons = expanded(made, toy_data()).not_applicable
    assert "not rolled forward" in reasons["iterated"] and "train no spread" in reasons["smoothed"]
    assert reasons["one-neighbour"] == "LikelihoodKD() compares distributions, and reconstructions forecast points"
    # losses of points are no hindrance to a teacher of points
    arms = [{"name": "taught", "teachers": "gaussian", "balance": 0.5}]
    made = experiment(teachers=TEACHERS, arms=arms, student=student("GaussianLikelihood"), controls="all")
    assert "one-neighbour" not in expanded(made, toy_data()).not_applicable
