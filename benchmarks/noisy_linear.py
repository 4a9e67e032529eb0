"""Students and teachers in closed form: ridge regressions whose penalty is chosen within the training part.

A student is fitted to (1 - balance)·labels + balance·answers of a teacher. Penalty, balance and smoothing are those
with the least error to the held-out labels of `BLOCKS` contiguous blocks of the training windows; windows that share a
day of their targets with a held-out one are left out of the fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from noisy_folds import HORIZON, LOOKBACK, Days, Fold, Windows

PENALTIES = tuple(10.0 ** (power / 2) for power in range(-6, 5))
"""Per training window, of standardised inputs."""
BALANCES = (0.0, 0.25, 0.5, 0.75, 1.0)
NEIGHBOURS = (1, 2, 5, 10)
"""Days on each side that a smoothed label is averaged with."""
BLOCKS, PLACEBOS = 5, 5
SMALL = 3
"""Number of the penalty of a student that is hardly regularised."""
STUDENTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "ridge": lambda past: past,
    # Corsi (2009): the last day, week and month
    "har": lambda past: np.stack([past[:, -days:].mean(axis=1) for days in (1, 5, LOOKBACK)], axis=1),
}
"""By name: a student's inputs [n, d] from the labels [n, L] of the lookback."""


class Candidate(NamedTuple):
    """Targets [n, H] that a student may be fitted to; windows closer than `purge` to a held-out one share a label."""

    targets: np.ndarray
    purge: int = HORIZON


class Ridge:
    """Ridge regressions of all `PENALTIES` on inputs [n, d], by one decomposition; the intercept is free."""

    def __init__(self, inputs: np.ndarray) -> None:
        self.mean = inputs.mean(axis=0)
        deviation = inputs.std(axis=0)
        self.deviation = np.where(deviation > 0, deviation, 1.0)
        self.inputs = self._scaled(inputs)
        values, self.vectors = np.linalg.eigh(self.inputs.T @ self.inputs / len(inputs))
        self.shrunk = [1 / (values + penalty) for penalty in PENALTIES]

    def forecasts(self, targets: np.ndarray, inputs: np.ndarray, penalty: int) -> np.ndarray:
        """[m, H] for `inputs` [m, d], of the regression on `targets` [n, H] with penalty number `penalty`."""
        level = targets.mean(axis=0)
        rotated = self.vectors.T @ self.inputs.T @ (targets - level) / len(self.inputs)
        return level + self._scaled(inputs) @ self.vectors @ (self.shrunk[penalty][:, None] * rotated)

    def _scaled(self, inputs: np.ndarray) -> np.ndarray:
        return (inputs - self.mean) / self.deviation


def parts(windows: int, purge: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Positions to fit on and held-out ones, block by block; `purge` windows or more lie between them."""
    every = np.arange(windows)
    for held_out in np.array_split(every, BLOCKS):
        yield every[(every <= held_out[0] - purge) | (every >= held_out[-1] + purge)], held_out


def chosen(inputs: np.ndarray, labels: np.ndarray, candidates: Sequence[Candidate]) -> tuple[int, int]:
    """The candidate and the penalty with the least error to the held-out `labels`; of equals the first."""
    errors = np.zeros((len(candidates), len(PENALTIES)))
    for purge in {candidate.purge for candidate in candidates}:
        for fitted, held_out in parts(len(inputs), purge):
            ridge = Ridge(inputs[fitted])
            for number, candidate in enumerate(candidates):
                if candidate.purge != purge:
                    continue
                for penalty in range(len(PENALTIES)):
                    found = ridge.forecasts(candidate.targets[fitted], inputs[held_out], penalty)
                    errors[number, penalty] += ((found - labels[held_out]) ** 2).sum()
    best = np.unravel_index(errors.argmin(), errors.shape)
    return int(best[0]), int(best[1])


def taught(inputs: np.ndarray, labels: np.ndarray, candidates: Sequence[Candidate], asked: np.ndarray) -> np.ndarray:
    """Forecasts [m, H] for `asked` [m, d] of the ridge regression on the best candidate, with the best penalty."""
    number, penalty = chosen(inputs, labels, candidates)
    return Ridge(inputs).forecasts(candidates[number].targets, asked, penalty)


def smoothed(labels: np.ndarray, neighbours: int) -> np.ndarray:
    """Labels [T] of a training part, each averaged with those of the days around it that are in the part."""
    kernel = np.ones(2 * neighbours + 1)
    return np.convolve(labels, kernel, "same") / np.convolve(np.ones(len(labels)), kernel, "same")


def blended(labels: np.ndarray, answers: Sequence[Candidate], balances: Sequence[float]) -> list[Candidate]:
    """A candidate for each balance of the labels with each of some answers."""
    return [
        Candidate((1 - balance) * labels + balance * answer.targets, answer.purge)
        for balance in balances
        for answer in answers
    ]


def placebo_teacher(fold: Fold, seed: int) -> np.ndarray:
    """Answers [n, H] of a teacher that sees the ranges of other days: those of the training part, permuted."""
    ranges = np.random.default_rng(seed).permutation(fold.train.ranges)
    windows = Windows.of(Days(fold.train.labels, ranges))
    return taught(windows.ranges, windows.labels, [Candidate(windows.labels)], windows.ranges)


def teachers(fold: Fold) -> dict[str, list[list[Candidate]]]:
    """By arm, for each of its repetitions, the answers that validation may choose among."""
    train = Windows.of(fold.train)

    def answers(inputs: np.ndarray) -> list[list[Candidate]]:
        return [[Candidate(taught(inputs, train.labels, [Candidate(train.labels)], inputs))]]

    means = {k: Windows.of(Days(smoothed(fold.train.labels, k), fold.train.ranges)).labels for k in NEIGHBOURS}
    ratio = fold.train.labels.mean() / fold.train.ranges.mean()
    return {
        "privileged": answers(train.ranges),
        "rescaled range": [[Candidate(ratio * train.ranges)]],
        "self-distilled": answers(train.past),
        "placebo": [[Candidate(placebo_teacher(fold, seed))] for seed in range(PLACEBOS)],
        "smoothed": [[Candidate(targets, HORIZON + k) for k, targets in means.items()]],
    }


def errors(fold: Fold) -> dict[str, float]:
    """Mean squared errors on the test windows, by "student, arm" and, of what is no arm, by name."""
    train, test = Windows.of(fold.train), Windows.of(fold.test)
    labels = [Candidate(train.labels)]

    def error(forecasts: np.ndarray) -> float:
        return float(((forecasts - test.labels) ** 2).mean())

    arms = teachers(fold)
    found = {"training mean": error(np.tile(train.labels.mean(axis=0), (len(test.labels), 1)))}
    found["teacher"] = error(taught(train.ranges, train.labels, labels, test.ranges))
    for name, make in STUDENTS.items():
        inputs, asked = make(train.past), make(test.past)
        found[f"{name}, alone"] = error(taught(inputs, train.labels, labels, asked))
        for arm, repetitions in arms.items():
            for kind, balances in (("", (1.0,)), (", balance tuned", BALANCES)):
                mean = [
                    error(taught(inputs, train.labels, blended(train.labels, one, balances), asked))
                    for one in repetitions
                ]
                found[f"{name}, {arm}{kind}"] = float(np.exp(np.log(mean).mean()))
        both, both_asked = (np.concatenate([make(part.past), make(part.past_ranges)], axis=1) for part in (train, test))
        found[f"{name}, ranges as inputs"] = error(taught(both, train.labels, labels, both_asked))
    return found


def errors_afterwards(fold: Fold) -> dict[str, float]:
    """Mean squared errors of the arms that were added when the others were known; as `errors`."""
    train, test = Windows.of(fold.train), Windows.of(fold.test)
    labels = Candidate(train.labels)
    ridge = Ridge(train.past)
    ratio = fold.train.labels.mean() / fold.train.ranges.mean()
    ranges = [
        Candidate(ratio * Windows.of(Days(smoothed(fold.train.ranges, k), fold.train.ranges)).labels, HORIZON + k)
        for k in NEIGHBOURS
    ]
    found = {
        "ridge, hardly regularised": ridge.forecasts(train.labels, test.past, SMALL),
        "ridge, hardly regularised, privileged": ridge.forecasts(
            taught(train.ranges, train.labels, [labels], train.ranges), test.past, SMALL
        ),
    }
    for name, make in STUDENTS.items():
        found[f"{name}, smoothed ranges"] = taught(make(train.past), train.labels, ranges, make(test.past))
    return {arm: float(((forecasts - test.labels) ** 2).mean()) for arm, forecasts in found.items()}
