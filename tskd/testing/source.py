"""What every source of privileged information promises, as tests that a new one inherits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import ceil

import numpy as np

import tskd.privileged
from tskd.privileged import CovariateBlock, Source
from tskd.privileged.base import bare_name
from tskd.testing._battery import Battery, check_recreated, require, require_close
from tskd.testing._grids import FIXED_STEPS, GRIDS, same_series, shifted
from tskd.testing._source_cases import AFTER, BEFORE, Aggregate, SourceCase

HORIZONS = (range(1, 4), range(3, 6))


class SourceConformance(Battery[Source]):
    """The tests of a source: `TestMine = SourceConformance.of(lambda: Mine("lab"))`.

    Attributes:
        samples_per_step: samples of the privileged series in a step of the target.
        aggregate: `"mean"` or `"sum"`, if the target must be that of the samples from each stamp on.
        rounding: by which what a window reads may differ between a series and a part of it.
        saved: its settings can be written as JSON; else a model that has it cannot be saved.
    """

    samples_per_step = 1
    aggregate: Aggregate | None = None
    rounding = 1e-6
    saved = True

    def cases(self) -> Iterator[SourceCase]:
        """A case of each time grid and horizon that the source accepts."""
        source, count = self.make(), 0
        for grid in GRIDS if self.samples_per_step == 1 else FIXED_STEPS:
            for horizon in HORIZONS:
                try:
                    source.check_horizon(horizon)
                except ValueError:
                    continue
                count += 1
                yield SourceCase.of(source, grid, horizon, self.samples_per_step, self.aggregate)
        require(count > 0, f"{source!r} accepts none of the horizons {HORIZONS}: give one that reads steps 1 to 5")

    def blocks(self, case: SourceCase) -> list[CovariateBlock]:
        return self.make().blocks(case.privileged, case.series, case.horizon)

    def read(self, case: SourceCase) -> dict[int, np.ndarray]:
        """What the window of each origin reads."""
        blocks, slot = self.blocks(case), self.make().slot
        return {origin: case.read(blocks, slot, origin) for origin in case.origins}

    def test_windows_read_values_on_the_targets_own_grid(self) -> None:
        for case in self.cases():
            blocks = self.blocks(case)
            require(len(blocks) > 0, f"{case}: there are no blocks")
            for block in blocks:
                same = block.values.freq == case.series.freq
                require(
                    same, f"{case}: values every {block.values.freq}: bring them to the target's {case.series.freq}"
                )
                marks = block.steps is None or (block.steps.shape, block.steps.dtype) == ((len(case.horizon),), bool)
                require(marks, f"{case}: `steps` must say of each step of the horizon whether it may be read, as bool")
            whole = any(np.isfinite(values).all() for values in self.read(case).values())
            require(whole, f"{case}: no window finds all that it reads, though the privileged series is longer")

    def test_names_tell_what_the_values_were_made_of(self) -> None:
        for case in self.cases():
            source = self.make()
            names = [str(name) for block in self.blocks(case) for name in block.values.components]
            require(len(set(names)) == len(names), f"{case}: names are given twice: {names}")
            (prefix,) = source.labels([""])
            wrong = [name for name in names if not name.startswith(prefix) or bare_name(name, [source]) == name]
            require(not wrong, f"{case}: {wrong} do not begin with {prefix!r}: name components by `self.labels(...)`")

    def test_nothing_later_than_reads_until_is_read(self) -> None:
        """Neither of the privileged series nor, unless it is the target, of the target."""
        source = self.make()
        for case in self.cases():
            until = source.reads_until(case.horizon[-1], self.samples_per_step)
            expected = self.read(case)
            for origin in case.origins[::3]:
                other = case.with_later_values(source, origin, float(until))
                found = other.read(self.blocks(other), source.slot, origin)
                what = (
                    f"{case}: other values later than {until} steps after the origin change what its window reads: say "
                    "so in `reads_until`, or read no later (a mean over the whole series is later, too)"
                )
                require_close(found, expected[origin], self.rounding, what)

    def test_nothing_after_the_end_of_the_target_is_read(self) -> None:
        source = self.make()
        if source.name is None:
            return
        for case in self.cases():
            end = (BEFORE + len(case.series)) * case.samples
            others = {
                "other values": shifted(case.privileged, slice(end, None)),
                "no values": case.privileged[: len(case.privileged) - AFTER * case.samples],
            }
            expected = self.read(case)
            for what, privileged in others.items():
                message = f"{case}: {what} after the end of the target: cut the series there, as `until_end` does"
                for origin, found in self.read(case.with_privileged(privileged)).items():
                    require_close(found, expected[origin], self.rounding, message)

    def test_a_window_reads_the_same_in_a_part_of_the_series(self) -> None:
        """The target or the privileged series begins later there, or the target ends earlier."""
        source = self.make()
        for case in self.cases():
            expected = self.read(case)
            # of windows that read beyond their horizon the last ones find less in a shorter series
            beyond = ceil(source.reads_until(case.horizon[-1], self.samples_per_step)) - case.horizon[-1]
            last = case.origins[-1] - 2 - max(beyond, 0)
            parts = {"the target begins later": (case.series[2:], 2), "the target ends earlier": (case.series[:-2], 0)}
            for what, (series, moved) in parts.items():
                part = replace(case, series=series, privileged=series if source.name is None else case.privileged)
                found = self.read(part)
                for origin in (case.origins[0] + 2, last):
                    message = f"{case}: where {what}, a window reads something else: go by time stamps"
                    require_close(found[origin - moved], expected[origin], self.rounding, message)
            if source.name is not None:
                found = self.read(case.with_privileged(case.privileged[3 * case.samples :]))
                message = f"{case}: where the privileged series begins later, a window reads something else"
                require_close(found[last], expected[last], self.rounding, message)

    def test_what_is_handed_in_is_unchanged_and_two_calls_give_the_same(self) -> None:
        for case in self.cases():
            source, given = self.make(), [case.privileged, case.series]
            before = [series.copy() for series in given]
            first = source.blocks(case.privileged, case.series, case.horizon)
            require(same_series(before, given), f"{case}: a series that was handed in is changed: work on a copy")
            second = source.blocks(case.privileged, case.series, case.horizon)
            same = same_series([block.values for block in first], [block.values for block in second])
            require(same, f"{case}: asked again it gives other blocks: draw nothing that does not go by the time stamp")

    def test_settings_and_repr_recreate_it(self) -> None:
        source = self.make()
        check_recreated(source, tskd.privileged, self.saved)
        require(hash(source) == hash(self.make()) and source == self.make(), "equal settings must make equal sources")
