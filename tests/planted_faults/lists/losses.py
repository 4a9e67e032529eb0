"""Faults in the losses."""

from __future__ import annotations

from tests.planted_faults.fault import faults_in

TESTS = ["losses/test_values"]

FAULTS = (
    *faults_in(
        "losses/_numerics",
        TESTS,
        ("floor.square(), torch.inf).rsqrt()", "floor.square(), torch.inf).reciprocal()"),
        ("* mean.detach().abs()", "* 0 * mean.detach().abs()"),
        ("(gradient * found).mean(-1, keepdim=True) / root**2", "(gradient * found).mean(-1, keepdim=True)"),
        ("gradient = gradient - gradient.mean(-1, keepdim=True)", ""),
    ),
    *faults_in(
        "losses/base",
        ["distillation/test_shared_views", "distillation/test_teachers_at_once"],
        ("if values is not self.student or found is None:", "if found is None:"),
        ("key = (view, *arguments)", "key = view"),
        ("if not torch.is_grad_enabled():", "if False:"),
    ),
    *faults_in("losses/attention_transfer", TESTS, (".square().sum(1)", ".square().mean(1)")),
    *faults_in(
        "losses/attentive_imitation",
        TESTS,
        ("(largest - errors) / range_", "(errors - smallest) / range_"),
        (
            "_errors((pair.teacher - pair.target).square(), pair.labelled)",
            "_errors((pair.teacher - pair.target).square(), None)",
        ),
    ),
    *faults_in(
        "losses/channel_relation",
        TESTS,
        ("* 2 / (components", "/ (components"),
    ),
    *faults_in(
        "losses/horizon_weighted",
        [*TESTS, "distillation/test_paired_loss"],
        ("return self.loss.weight * weights[:, None] * values", "return weights[:, None] * values"),
        ("self.labelled = self.loss.labelled", "self.labelled = False"),
        ("torch.softmax(exponents, 0) * steps", "torch.softmax(exponents, 0)"),
    ),
    *faults_in(
        "losses/level_shape_kd",
        TESTS,
        ("self.shape * (difference - level).square()", "self.level * (difference - level).square()"),
    ),
    *faults_in(
        "losses/likelihood_kd",
        TESTS,
        ("(teacher.scale / student.scale).square()", "(student.scale / teacher.scale).square()"),
    ),
    *faults_in(
        "losses/multi_period_kd",
        TESTS,
        ("values.shape[2] * floor", "0 * floor"),
        ("if ctx.steps % 2 == 0:", "if True:"),
        ("if ctx.steps % 2 == 0:", "if False:"),
        ("gradient.sum(2, keepdim=True)", "gradient.mean(2, keepdim=True)"),
        ("scale, 1 / ctx.temperature", "scale, 1"),
        ("squares.where(scale > 0, 0).sqrt()", "squares.sqrt()"),
    ),
    *faults_in(
        "losses/multi_scale_kd",
        TESTS,
        ("range(self.scales + 1)", "range(self.scales)"),
        ("coarser(difference) if scale else", "coarser(difference) if scale > 1 else"),
    ),
    *faults_in(
        "losses/outlier_rejection",
        TESTS,
        ("self.threshold * GAUSSIAN * deviation", "self.threshold * deviation"),
        ("torch.where(size > limit, limit / size", "torch.where(size > limit, limit.square() / size.square()"),
    ),
    *faults_in(
        "losses/quantile_kd",
        TESTS,
        ("median + self.temperature * (teacher - median)", "median + (teacher - median) / self.temperature"),
        ("_quantiles_at(side, shared) for side", "side.quantiles[..., : len(shared)] for side"),
    ),
    *faults_in(
        "losses/sample_relation",
        TESTS,
        ("(windows - 1) * (windows - 2)", "(windows - 1) ** 2"),
        (
            "squares.masked_fill(equal, torch.inf).rsqrt()",
            "squares.masked_fill(squares <= 0, torch.inf).rsqrt()",
        ),
        ("2 * math.sqrt(points.shape[1])", "points.shape[1]"),
        ("cosines.diagonal(dim1=1, dim2=2).zero_()", "cosines.diagonal().zero_()"),
        ("of_products.diagonal(dim1=1, dim2=2).zero_()", ""),
        ("(of_cosines.sum(1) + of_cosines.sum(2))", "2 * of_cosines.sum(1)"),
        ("- 2 * of_squares", "- of_squares"),
        ("rows.sum(1) + of_squares.sum(0)", "rows.sum(0) + of_squares.sum(0)"),
    ),
    *faults_in(
        "losses/temporal_relation",
        TESTS,
        ("dd * ss + ds * sd", "dd * ss + sd * sd"),
        ("torch.cat([of_more, of_less], 2)", "torch.cat([of_less, of_more], 2)"),
        ("max(a.shape[1], b.shape[1])", "b.shape[1]"),
        ("/ steps**2", "/ (steps * components)"),
    ),
    *faults_in(
        "losses/teacher_bounded",
        TESTS,
        ("term if pair.labelled is None else term.where(pair.labelled, 0)", "term"),
    ),
)
