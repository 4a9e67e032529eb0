"""Faults in the weightings."""

from __future__ import annotations

from tests.planted_faults.fault import faults_in

W = "weighting"

FAULTS = (
    *faults_in(
        "weighting/_aspect_errors",
        [f"{W}/test_aspects"],
        ("clamp(min=least[:, None, None])", "clamp(min=0)"),
    ),
    *faults_in(
        "weighting/base",
        [f"{W}/test_all_weightings", f"{W}/test_fixed", f"{W}/test_aspects", "distillation/expected/test_auto_balance"],
        ("scores = scores.where(valid, 0)", "scores = scores"),
        ("valid = step.present\n", "valid = step.valid[..., None]\n"),
        ("scores / total.where(total > 0, 1), even)", "scores, even)"),
    ),
    *faults_in(
        "weighting/aekd",
        [f"{W}/test_aekd"],
        ("student - torch.where(present, forecasts, stand_in)", "student - forecasts"),
    ),
    *faults_in(
        "weighting/bates_granger",
        [f"{W}/test_bates_granger"],
        ("(windows / (windows + shrinkage))", "(alone / (alone + shrinkage))"),
        ("ones = scale.min() / scale", "ones = scale / scale.max()"),
        ("(part / scale).where(scale > 0, 0).sum(-1)", "part.where(scale > 0, 0).sum(-1)"),
    ),
    *faults_in(
        "weighting/camkd",
        [f"{W}/test_camkd"],
        ("torch.stack(sums).sum(0) / torch.stack(counts).sum(0)", "(torch.stack(sums) / torch.stack(counts)).mean(0)"),
    ),
    *faults_in(
        "weighting/capped_simplex",
        [f"{W}/test_aekd"],
        ("if cap * count <= 1", "if cap * count < 1"),
    ),
    *faults_in(
        "weighting/imitability",
        [f"{W}/test_imitability"],
        ("left_over = count - 1 - (1 - shrunk)", "left_over = count - (1 - shrunk)"),
    ),
    *faults_in(
        "weighting/mmkd",
        [f"{W}/test_mmkd", f"{W}/test_meta_gradient"],
        ("masked_fill(~step.valid, -math.inf)", "masked_fill(~step.valid, 0)"),
    ),
    *faults_in(
        "weighting/inverse_error",
        [f"{W}/test_inverse_error"],
        ("weights = 1 / over_largest(squares)", "weights = 1 / over_largest(squares).sqrt()"),
    ),
)
