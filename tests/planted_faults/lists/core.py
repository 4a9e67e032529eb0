"""Faults in the windows, their keys, and what is shared by all rooms."""

from __future__ import annotations

from tests.planted_faults.fault import faults_in

FAULTS = (
    *faults_in(
        "_core/windows",
        ["_core/test_windows_with_gaps", "_core/test_windows"],
        ("past = (1 - span.lookback, span.lookback)", "past = (-span.lookback, span.lookback)"),
        ("future = (1 + span.output_shift, span.horizon)", "future = (span.output_shift, span.horizon)"),
        (
            '(inputs.past_covariates, *past),\n            "hist',
            '(inputs.past_covariates, past[0] + 1, past[1]),\n            "hist',
        ),
        ("begin = end - lengths", "begin = end - lengths[0]"),
        ("(rows + self.length <= self.end[keys[:, 0]])", "(rows + self.length < self.end[keys[:, 0]])"),
        ("inside = (rows >= self.begin[keys[:, 0]])", "inside = (rows > self.begin[keys[:, 0]])"),
        ("[(rows + step).clamp(0, last)] | ~self.visible[step]).all(1)", "[(rows + step).clamp(0, last)]).all(1)"),
        ("functional.pad((~known).any(1).cumsum(0), (1, 0))", "functional.pad((~known).all(1).cumsum(0), (1, 0))"),
        ("frame.ffill().bfill()", "frame.bfill().ffill()"),
        ("torch.cat([_filled(self.table[begin:end]) for begin, end in parts])", "_filled(self.table)"),
        ("gather(part).flatten(1).any(1) for part", "gather(part).flatten(1).all(1) for part"),
        ("return values if self.visible is None else values.where(self.visible, 0)", "return values"),
        ("(inputs.past_target or series, *past)", "(series, *past)"),
        ("rest = torch.ones(self.length", "rest = torch.zeros(self.length"),
        ("[0 if v is s else steps_between(v, s) for", "[0 if v is s else steps_between(s, v) for"),
        (
            "_tensor(s.static_covariates_values(copy=False)) for s",
            "_tensor(series[0].static_covariates_values(copy=False)) for s",
        ),
        ("self.static.index_select(0, keys[:, 0])", "self.static[:1].expand(len(keys), -1, -1)"),
    ),
    *faults_in(
        "_core/window_keys",
        ["_core/test_windows"],
        ("[-(-(length - size + 1) // stride) for", "[(length - size + 1) // stride for"),
        ("- (back % count) * stride - horizon - shift - 1", "- (back % count) * stride - horizon - 1"),
        ("per_series = max(available)", "per_series = min(available)"),
        ("length - (back % count) * stride", "length - back.clamp(max=count - 1) * stride"),
        ("max(last - student[0] + 1, first", "max(last - student[0], first"),
        ("slice(first - student[0], max", "slice(first - teacher[0], max"),
    ),
    *faults_in(
        "_core/coverage",
        ["_core/test_windows_with_gaps"],
        ("data.future_covariates, 1 - lookback, labels[-1])", "data.future_covariates, 1 - lookback, labels[0])"),
        ("data.past_covariates, 1 - lookback, 0)", "data.past_covariates, -lookback, 0)"),
        ("keys[keys[:, 0] == index, 1]", "keys[:, 1]"),
    ),
    *faults_in(
        "_core/series",
        ["teachers/test_teacher", "distillation/expected/test_teacher_gain", "distillation/test_backtesting"],
        ("values(copy=False)[-TRACED:]", "values(copy=False)[:TRACED]"),
        ("names == list(expected)", "sorted(names) == sorted(expected)"),
    ),
    *faults_in(
        "_core/layers",
        ["losses/test_values"],
        ("first.unflatten(0, (windows, -1))", "first.unflatten(0, (-1, windows)).transpose(0, 1)"),
        ("by_window.transpose(1, 2) if self.channels_first", "by_window if self.channels_first"),
    ),
    *faults_in(
        "_core/head_gradients",
        ["_core/test_head_gradients"],
        (
            "torch.cat([inputs, inputs.new_ones(len(inputs), 1)], 1)",
            "torch.cat([inputs, inputs.new_zeros(len(inputs), 1)], 1)",
        ),
        ("if over_ranks is alone and rows *", "if rows *"),
        (
            "if gradients is not None:\n            rows = over_ranks(gradients.flatten(1).double())",
            "if gradients is not None:\n            rows = gradients.flatten(1).double()",
        ),
    ),
    *faults_in(
        "_core/darts/roll_forward",
        ["distillation/test_paired_loss"],
        ("[min(chunk, steps) for chunk", "[chunk for chunk"),
        (
            "torch.cat([past, forecast[:, :start]], dim=1)[:, -lookback:]",
            "torch.cat([past, forecast], dim=1)[:, -lookback:]",
        ),
    ),
    *faults_in(
        "_core/darts/forward",
        ["distillation/test_missing_in_fit", "distillation/test_missing_labels", "distillation/test_closed_form"],
        ("whole * labelled * (labelled.numel() / labelled.sum())", "whole * labelled"),
        ("whole = whole if batch.sample_weight is None else whole * batch.sample_weight", "pass"),
        ("return max(1, int(labelled.sum()))", "return batch.past_target.shape[0]"),
    ),
    *faults_in(
        "_core/darts/dataset",
        ["teachers/test_teacher", "distillation/test_missing_in_fit", "distillation/test_equality"],
        ('slots.pop("labelled", None)', 'slots.get("labelled", None)'),
        ("dataset.output_chunk_length, dataset.shift - lookback)", "dataset.output_chunk_length, 0)"),
    ),
    *faults_in(
        "_core/correlation",
        ["distillation/expected/test_expected_gain", "privileged/test_leaks"],
        ("a, b = np.diff(a, axis=0), np.diff(b, axis=0)", "a, b = a[1:], b[1:]"),
    ),
    *faults_in(
        "balance",
        ["test_balance"],
        ("return self.value * epoch / self.warm_up", "return self.value * (epoch + 1) / self.warm_up"),
        ("epoch < self.warm_up + self.hold:", "epoch < self.hold:"),
        ("- self.warm_up - self.hold + 1", "- self.warm_up - self.hold"),
        ("(self.final - self.value) * fallen", "(self.value - self.final) * fallen"),
        ("for epoch in range(epochs))", "for epoch in range(epochs - 1))"),
    ),
)
