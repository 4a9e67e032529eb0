"""Faults in the losses."""

from __future__ import annotations

from tests.planted_faults.fault import faults_in

TESTS = ["losses/test_values"]

FAULTS = (
    *faults_in(
        "losses/_numerics",
        TESTS,
        ("values - values.mean(dim, keepdim=True), dim, rounding", "values - values.mean(), dim, rounding"),
        ("(values / power.where(varies, 1).sqrt())", "(values / power.where(varies, 1))"),
    ),
    *faults_in(
        "losses/attention_transfer", TESTS, (".mean(2)\n", ".sum(2)\n"), (".square().sum(1)", ".square().mean(1)")
    ),
    *faults_in(
        "losses/attentive_imitation",
        TESTS,
        ("(largest - errors) / range_", "(errors - smallest) / range_"),
        ("errors.min(), errors.max()", "errors.max() * 0, errors.max()"),
        ("[_errors((teacher - target).square(), target.isfinite())", "[_errors((teacher - target).square(), None)"),
        (
            "_errors((pair.teacher - pair.target).square(), pair.labelled)",
            "_errors((pair.teacher - pair.target).square(), None)",
        ),
        ("_errors((pair.teacher - pair.target)", "_errors((pair.student - pair.target)"),
    ),
    *faults_in("losses/autoregressive_kd", TESTS, ("values[:, : self.steps] for", "values for")),
    *faults_in(
        "losses/channel_relation",
        TESTS,
        ("difference.tril(-1)", "difference.tril(-2)"),
        ("* 2 / (components", "/ (components"),
    ),
    *faults_in(
        "losses/feature_kd",
        TESTS,
        ("return self.loss.weight * (values", "return (values"),
        ("self.positions(self.units(features).transpose(1, 2)).transpose(1, 2)", "self.units(features)"),
        ("features.flatten(1, -2) if features.dim() > 2", "features.flatten(2) if features.dim() > 2"),
    ),
    *faults_in(
        "losses/horizon_weighted",
        [*TESTS, "distillation/test_paired_loss"],
        ("[first : first + values.shape[1]]", "[: values.shape[1]]"),
        ("(rate / max(steps - 1, 1))", "(rate / steps)"),
        ("return self.loss.weight * weights[:, None] * values", "return weights[:, None] * values"),
        ("self.labelled = self.loss.labelled", "self.labelled = False"),
        ("torch.softmax(exponents, 0) * steps", "torch.softmax(exponents, 0)"),
    ),
    *faults_in(
        "losses/level_shape_kd",
        TESTS,
        ("difference.mean(1, keepdim=True)", "difference.mean(2, keepdim=True)"),
        ("self.shape * (difference - level).square()", "self.level * (difference - level).square()"),
    ),
    *faults_in(
        "losses/likelihood_kd",
        TESTS,
        ("temperature * found.scale", "temperature**2 * found.scale"),
        ("((teacher.loc - student.loc) / student.scale)", "((teacher.loc - student.loc) / teacher.scale)"),
        ("(teacher.scale / student.scale).square()", "(student.scale / teacher.scale).square()"),
        (
            "values = kl_divergence(with_temperature(teacher, self.temperature), student)",
            "values = kl_divergence(student, with_temperature(teacher, self.temperature))",
        ),
    ),
    *faults_in(
        "losses/multi_period_kd",
        TESTS,
        ("dim=1)[:, 1:].abs()", "dim=1).abs()"),
        ("(teacher.exp() * (teacher - student))", "(student.exp() * (student - teacher))"),
        ("floor = values.shape[1] * rounding", "floor = rounding"),
    ),
    *faults_in(
        "losses/multi_scale_kd", TESTS, ("range(self.scales + 1)", "range(self.scales)"), ("2**scale)", "scale + 1)")
    ),
    *faults_in(
        "losses/outlier_rejection",
        TESTS,
        ("self.threshold * GAUSSIAN * deviation", "self.threshold * deviation"),
        ("residuals.nanmedian(0).values", "residuals.nanmean(0)"),
        ("1 - self.weight * (1 - huber", "self.weight * (huber"),
        ("torch.where(size > limit, limit / size", "torch.where(size > limit, limit.square() / size.square()"),
    ),
    *faults_in(
        "losses/quantile_kd",
        TESTS,
        (
            "levels * above.relu() + (1 - levels) * (-above).relu()",
            "(1 - levels) * above.relu() + levels * (-above).relu()",
        ),
        ("median + self.temperature * (teacher - median)", "median + (teacher - median) / self.temperature"),
        ("_quantiles_at(side, shared) for side", "side.quantiles[..., : len(shared)] for side"),
    ),
    *faults_in(
        "losses/sample_relation",
        TESTS,
        ("found.sum() / differ.sum().clamp(min=1)", "found.mean()"),
        ("(windows - 1) * (windows - 2)", "(windows - 1) ** 2"),
        ("points - points.mean(0)).double()", "points).double()"),
        ("unit_power(centred @ centred.T, 1, floor)", "unit_power(centred @ centred.T, 0, floor)"),
        ("- gram[:, None, :] + gram.diagonal()", "- gram[:, None, :] - gram.diagonal()"),
    ),
    *faults_in(
        "losses/teacher_bounded",
        TESTS,
        ("student > bound + margin", "student > bound - margin"),
        ("term if pair.labelled is None else term.where(pair.labelled, 0)", "term"),
        ("torch.where(student > bound + margin, student, 0)", "(student - bound - margin).relu()"),
    ),
    *faults_in(
        "losses/temporal_relation",
        TESTS,
        ("standardised(values, 1)", "standardised(values, 2)"),
        ("/ scaled.shape[2]", "/ scaled.shape[1]"),
    ),
)
