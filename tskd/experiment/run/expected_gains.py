"""What the arms of a study are expected to gain, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator

from tskd.distillation.expected.expected_gain import ExpectedGain
from tskd.experiment.config.errors import ConfigError
from tskd.experiment.config.study import StudyConfig
from tskd.experiment.data.data_checks import check_data
from tskd.experiment.data.loading import load
from tskd.experiment.run.block import BlockRun
from tskd.experiment.run.plan import Block


def expected_gains(study: StudyConfig) -> Iterator[tuple[str, str, ExpectedGain | str]]:
    """Case, arm and expected gain of each arm with teachers; in place of the gain, the reason why there is none.

    Of the first fold, which is the earliest, the first training size and the first seed; an arm of several balances has
    the first above 0.

    Raises:
        ConfigError, OSError: the data cannot be had, or lack what is read.
    """
    for case, experiment in study.cases.items():
        try:
            loaded = load(experiment)
        except (ImportError, ValueError) as error:
            raise ConfigError(str(error)) from error
        check_data(experiment, loaded.data)
        block = Block(case, experiment, 1, experiment.sizes[0], experiment.seeds[0])
        run = BlockRun(block, loaded)
        for arm in experiment.arms:
            if not arm.teachers:
                continue
            candidate = next((number for number, balance in enumerate(arm.balance) if balance != 0), 0)
            try:
                yield case, arm.name, run.expected_gain(arm, candidate)
            except ValueError as error:
                yield case, arm.name, f"cannot be told: {error}"
