"""Faults in the sources of privileged information."""

from __future__ import annotations

from tests.planted_faults.fault import faults_in

TESTS = ["privileged/test_sources"]

FAULTS = (
    *faults_in(
        "privileged/future",
        TESTS,
        ("read, horizon, history=False)", "read, horizon, history=True)"),
        ("math.sqrt(self.noise_variance) * _noise", "self.noise_variance * _noise"),
        ("[step + ahead in read for step in horizon]", "[step in read for step in horizon]"),
        ("np.arange(1, series.n_components + 1, dtype=np.uint64)", "np.ones(series.n_components, dtype=np.uint64)"),
        ("history=history and not ahead,", "history=history,"),
        ("if self.step < horizon[0]:", "if self.step <= horizon[0]:"),
        ("np.cos(2 * np.pi * second)", "np.cos(second)"),
        ("range(self.step, self.step + 1)", "range(self.step, self.step + 2)"),
    ),
    *faults_in(
        "privileged/past",
        TESTS,
        (".shift(-self.until)", ".shift(-self.until - 1)"),
        ("samples_per_step - 1, samples_per_step)", "samples_per_step, samples_per_step)"),
        ("until_end(privileged, series).shift", "privileged.shift"),
        ('whole_step=self.coarse != "point")', "whole_step=True)"),
    ),
    *faults_in(
        "privileged/alignment",
        TESTS,
        ("unexplained[:, index].min(0).argmin()", "unexplained[0, index].argmin()"),
        ("before.starts + before.counts - 1", "after.starts + after.counts - 1"),
    ),
    *faults_in(
        "privileged/alignment",
        ["privileged/test_calendar"],
        ("values[steps.starts + steps.counts - 1]", "values[steps.starts]"),
        ('mean if declared == "mean" else', "mean if declared else"),
        ("np.sqrt(steps.mean(squares))", "steps.mean(squares)"),
    ),
    *faults_in(
        "privileged/step_samples",
        ["privileged/test_calendar"],
        ("later > stamps[1:]", "later >= stamps[1:]"),
        ("later >= stamps[1:]", "later > stamps[1:]"),
        ("earlier <= stamps[:-1]", "earlier < stamps[:-1]"),
        ("earlier < stamps[:-1]", "earlier <= stamps[:-1]"),
        ('side="left" if whole_step else "right")\n    lower', 'side="right")\n    lower'),
        ("complete = np.flatnonzero(lower & upper)", "complete = np.flatnonzero(upper)"),
        ("or _has_holidays(fine.freq) or", "or"),
        ("return len(set(counts.tolist())) == 1", "return False"),
    ),
    *faults_in(
        "datasets/vintages",
        ["datasets/test_vintages"],
        ('by="at")\n        columns', 'by="at", direction="forward")\n        columns'),
        ('by="at")\n        columns', 'by="at", allow_exact_matches=False)\n        columns'),
        ('known.dropna(subset="value")', "known"),
        ("stamp + step - first", "stamp + step - last"),
    ),
    *faults_in("distillation/leak_checks", ["datasets/test_vintages"], ("{*SHIFTS, *named}", "{*SHIFTS}")),
    *faults_in(
        "experiment/controls/shuffling",
        ["experiment/config/test_experiment"],
        ("+ drawn - _level(drawn, source)", "+ drawn"),
        ("len(own))[::-1] * len(other)", "len(own)) * len(other)"),
    ),
    *faults_in(
        "teachers/input_checks",
        ["teachers/test_inputs"],
        ("final = min(final - last", "final = max(final - last"),
        ("{lag + 1 for lag in lags", "{lag for lag in lags"),
    ),
    *faults_in(
        "teachers/inputs",
        ["teachers/test_inputs"],
        ("block.history and teacher.sees_inputs)", "block.history)"),
        ("[target.with_static_covariates(None) for target in own]", "[target for target in own]"),
        ("privileged[source.name][index]", "privileged[source.name][0]"),
        ("at = steps_between(origin, part) - first\n", "at = steps_between(origin, part)\n"),
        ("own.slice_intersect(target) for own", "own for own"),
        ("""        slot: covariates if teacher.sees_inputs and reads""", """        slot: covariates if reads"""),
    ),
)
