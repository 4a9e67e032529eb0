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
        "weighting/_calibration_errors",
        [f"{W}/test_inverse_error", f"{W}/test_bates_granger", f"{W}/test_demkd", f"{W}/test_camkd"],
        ("return values.nanmean(dim) if bool(means.isnan().any()) else means", "return values.nan_to_num().mean(dim)"),
        ("valid[teachers].all(0)", "valid[teachers].any(0)"),
        ("torch.stack([series, origins.div", "torch.stack([series * 0, origins.div"),
    ),
    *faults_in(
        "weighting/_regimes",
        [f"{W}/test_lfme"],
        ("(ordered[after - 1] + ordered", "(ordered[after] + ordered"),
        ("_below(errors, errors) / (2 * errors.shape[-1])", "_below(errors, errors) / (2 * len(errors))"),
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
        ("forecasts.sum(0) / count.clamp(min=1)", "forecasts.mean(0)"),
        ("if step.epoch < self.warm_up:", "if step.epoch <= self.warm_up:"),
        ("return step.context.mean_over_ranks(vectors @ vectors.T)", "return vectors @ vectors.T"),
    ),
    *faults_in(
        "weighting/bates_granger",
        [f"{W}/test_bates_granger"],
        ("errors.square(), known)", "errors.square(), torch.ones_like(known))"),
        ("(windows / (windows + shrinkage))", "(alone / (alone + shrinkage))"),
        ("best[p, h, there] = least_risk(moments[h]", "best[p, h, there] = least_risk(moments[0]"),
        ("ones = scale.min() / scale", "ones = scale / scale.max()"),
        ("(part / scale).where(scale > 0, 0).sum(-1)", "part.where(scale > 0, 0).sum(-1)"),
    ),
    *faults_in(
        "weighting/camkd",
        [f"{W}/test_camkd"],
        ("errors.where(seen, 0).sum(0) / seen.sum(0)", "errors.where(seen, 0).mean(0)"),
        ("torch.stack(sums).sum(0) / torch.stack(counts).sum(0)", "(torch.stack(sums) / torch.stack(counts)).mean(0)"),
        ("chunk.valid[:, :, None, None], chunk.labelled)", "chunk.valid[:, :, None, None], None)"),
        ("step.spread.to(errors).square() / scale", "step.spread.to(errors) / scale"),
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
        "weighting/lfme",
        [f"{W}/test_lfme"],
        ("excess / ((lead - 1) * teacher)", "excess / (lead * teacher)"),
        ("if step.epoch < self.curriculum:", "if step.epoch < self.curriculum - 1:"),
        ("(errors <= errors.amin(0, keepdim=True))", "(errors <= errors.amin(1, keepdim=True))"),
        ("among = ((regime == one) & scored)[:, None]", "among = scored[:, None]"),
        (" and self._levels == 1:", ":"),
        ("share.sum(-1)[:, None]", "blocks.sum(-1)"),
        ("squares.where(labelled, 0).sum(-1) / known.clamp(min=1)", "squares.where(labelled, 0).mean(-1)"),
        (
            "student = self._errors(calibration, student=True)",
            "student = self._errors(calibration)",
        ),
        (
            "total.sum(1, keepdim=True) / number.sum(1, keepdim=True)",
            "total.sum(2, keepdim=True) / number.sum(2, keepdim=True)",
        ),
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
