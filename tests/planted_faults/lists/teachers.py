"""Faults in teachers: their fits, folds, answers, and the cache of these."""

from __future__ import annotations

from tests.planted_faults.fault import faults_in

FAULTS = (
    *faults_in(
        "teachers/predictor",
        ["teachers/test_fingerprints", "teachers/test_outputs"],
        ("            request.steps,\n", ""),
        ("            self.columns,\n", ""),
        ("            str(request.dtype),\n", ""),
        ("            tuple(request.fields),\n", ""),
        ("            self.folds and self.folds.fingerprint(),\n", ""),
        ('values if "." in name else values[:, :, chosen]', 'values if name != "forecasts" else values[:, :, chosen]'),
        ("torch.stack([o[name] for o in each_outputs]).mean(0)", "each_outputs[0][name]"),
    ),
    *faults_in(
        "teachers/outputs",
        ["teachers/test_outputs", "teachers/test_output_cache"],
        ("first = steps[0] + span.start - source.horizon[0]", "first = span.start"),
        ("[own & (share > 0) for own", "[own & (share >= 0) for own"),
        ("index_select(0, rows)[:, steps:]", "index_select(0, rows)[:, -steps:]"),
        ("covered.shape != (windows,) or covered.dtype != np.bool_", "covered.shape != (windows,)"),
        ("covered_steps([self._span(k) for", "covered_steps([self._span(0) for"),
    ),
    *faults_in(
        "teachers/output_cache",
        ["teachers/test_output_cache"],
        ('if _digest(folder / f"{name}.npy", len(digest)) != digest:', 'if not (folder / f"{name}.npy").exists():'),
    ),
    *faults_in(
        "teachers/usable_windows",
        ["teachers/test_outputs", "teachers/test_output_cache"],
        ("valid = covered & finite", "valid = covered"),
        ("finite[doubtful] = forecasts[doubtful]", "finite[doubtful] = ~forecasts[doubtful]"),
    ),
    *faults_in(
        "teachers/crossfit",
        ["teachers/test_crossfit", "teachers/test_fingerprints"],
        (".where(steps < self.last + self.span, -1)", ".where(steps <= self.last, -1)"),
        ("where(steps < self.last + self.span", "where(steps <= self.last + self.span"),
        ("(ahead >= self.span)", "(ahead > self.span)"),
        ("(steps - end + 1) % cycle", "(steps - end) % cycle"),
        ("axis = min(series, key=lambda s: s.start_time())[:1]", "axis = series[0][:1]"),
        ("block={self.block!r}, ", ""),
    ),
    *faults_in(
        "teachers/label_folds",
        ["teachers/test_label_folds"],
        ("_distances(places, inside) > self.margin", "_distances(places, inside) >= self.margin"),
        ("self.stamps[inside]) > self.reach)", "self.stamps[inside]) >= self.reach)"),
    ),
    *faults_in(
        "teachers/reconstruction_fit",
        ["teachers/test_reconstruction"],
        ("five_days(axis), 2 * steps)", "five_days(axis), steps)"),
        ("answers[rows] = model.predict", "answers[rows] = whole.predict"),
        ("after = np.full((steps, values.shape[1]), np.nan)", "after = np.zeros((steps, values.shape[1]))"),
        ("axis = min(inputs.series, key=lambda target: target.start_time())[:1]", "axis = inputs.series[0][:1]"),
    ),
    *faults_in(
        "teachers/pointwise",
        ["teachers/test_reconstruction"],
        ("(x @ y) ** 2 / scale", "(x @ y) / np.sqrt(scale)"),
        ("alphas=rows * np.logspace", "alphas=np.logspace"),
    ),
    *faults_in(
        "teachers/answers",
        ["teachers/test_fingerprints", "teachers/test_answers", "teachers/test_given_series"],
        ("for part in (self._codes, self._answers):", "for part in (self._answers,):"),
    ),
    *faults_in(
        "teachers/given_series",
        ["teachers/test_given_series", "teachers/test_answers"],
        (".std(2, ddof=1)", ".std(2)"),
    ),
    *faults_in(
        "teachers/regression",
        [
            "teachers/test_regression",
            "teachers/test_crossfit",
            "teachers/test_teacher",
            "distillation/test_missing_in_fit",
        ],
        ("max(0, origin - back + 1), origin + ahead + 1", "max(0, origin - back), origin + ahead + 1"),
    ),
    *faults_in(
        "teachers/network",
        ["teachers/test_fingerprints", "teachers/test_crossfit", "teachers/test_teacher"],
        ("slot.end, slot.zero, slot.visible):", "slot.end, slot.zero):"),
        ("slot.end, slot.zero, slot.visible)", "slot.end, slot.visible)"),
        ("        chosen &= keep(keys)\n", "        pass\n"),
    ),
    *faults_in(
        "teachers/network",
        ["_core/test_own_code"],
        ("source_digest(type(one)) for one", "type(one).__name__ for one"),
    ),
)
