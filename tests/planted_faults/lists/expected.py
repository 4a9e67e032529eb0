"""Faults in what distillation is expected to give, and in the balance that follows."""

from __future__ import annotations

from tests.planted_faults.fault import faults_in

E = "distillation/expected"

FAULTS = (
    *faults_in(
        "distillation/expected/purged_folds",
        [f"{E}/test_purged_folds"],
        ("~self._near(at, self.reach)", "~self._near(at, 1)"),
        ("stretches[number::folds]", "stretches[number * each : (number + 1) * each]"),
    ),
    *faults_in(
        "distillation/expected/ridge",
        [f"{E}/test_ridge", f"{E}/test_held_out"],
        ("return (at - mean) @ vectors, values", "return at @ vectors, values"),
        ("penalties = PENALTIES * known.sum()", "penalties = PENALTIES"),
        ("penalties[np.argmin(total)]", "penalties[np.argmax(total)]"),
        ("(trains, held & known), penalties)", "(trains, trains), penalties)"),
    ),
    *faults_in(
        "distillation/expected/fold_answers",
        [f"{E}/test_held_out", f"{E}/test_teacher_gain"],
        ("horizon[0] + span.start - self.fitted.horizon[0]", "horizon[0] - self.fitted.horizon[0]"),
    ),
    *faults_in(
        "distillation/expected/stand_in",
        [f"{E}/test_held_out", f"{E}/test_teacher_gain"],
        ("self._fitted(trains & apart, numbers == number)", "self._fitted(apart, numbers == number)"),
    ),
    *faults_in(
        "distillation/expected/held_out",
        [f"{E}/test_held_out", f"{E}/test_teacher_gain", f"{E}/test_auto_balance"],
        ("at // max(reach, day)", "at // day"),
        ("apart.append(own - plain[fold][0])", "apart.append(plain[fold][0] - own)"),
    ),
    *faults_in(
        "distillation/expected/stacking",
        [f"{E}/test_stacking"],
        ("total**2 * blocks / (blocks - 1)", "total**2"),
        ("deviations = products - estimate * squares", "deviations = products - estimate * squares.mean()"),
        ("times * self.variance / self.estimate**2", "times * self.variance / self.estimate"),
        ("(alone > 0) & knowing)", "(alone > 0) | knowing)"),
        ("sums.errors.sum() / (variance * total)", "sums.errors.sum() / variance"),
    ),
    *faults_in(
        "distillation/expected/predicted_change",
        [f"{E}/test_expected_gain"],
        ("low / HARM if low > 0 else low", "low"),
        ("high * HARM if high > 0 else high", "high * HARM"),
        ("* blocks / (blocks - 1)) / errors.sum()", "* blocks / (blocks - 1)) / total"),
    ),
    *faults_in(
        "distillation/expected/chosen_balance",
        [f"{E}/test_auto_balance", f"{E}/test_expected_gain", "distillation/test_harm_formula"],
        ("== 1 and not bold", "== 1"),
    ),
)
