"""Faults in the windows, their keys, and what is shared by all rooms."""

from __future__ import annotations

from tests.planted_faults.fault import faults_in

FAULTS = (
    *faults_in(
        "_core/darts/bulk_steps",
        ["distillation/test_bulk_steps", "_core/test_bare_calls", "distillation/test_memory"],
        ("loop.batch_progress.current.ready - 1]", "loop.batch_progress.current.ready]"),
        ("loop.max_steps - loop.global_step - 1", "loop.max_steps - loop.global_step"),
        ("every - 1 - done % every", "every - done % every"),
        ("steps.step.increment_by(taken)", "steps.step.increment_by(1)"),
        ("loop._batches_that_stepped += taken", "pass"),
        ("                forget()\n", ""),
        ("                early()\n", "                pass\n"),
        ("early = None if forgets_its_own_way(optimizer) else forget", "early = forget"),
        ("            if step.after is not None:\n                step.after()\n", ""),
        ("first = loop.trainer, 0, loop.batch_idx + 1", "first = loop.trainer, 0, 0"),
    ),
    *faults_in(
        "_core/darts/bare_calls",
        ["_core/test_bare_calls"],
        ("fetcher.fetched += 1", "pass"),
        ("if fetcher.length is None or ", "if "),
        (" or type(fetcher.combined_loader.iterables) is not DataLoader", ""),
        ('getattr(optimizer.zero_grad, "__func__", None)', "torch.optim.Optimizer.zero_grad"),
        ("for group in optimizer.param_groups for", "for group in optimizer.param_groups[:1] for"),
    ),
    *faults_in(
        "_core/darts/training_step",
        ["distillation/test_blend"],
        ("computed is PLForecastingModule._compute_loss", "True"),
        ("type(criterion) is nn.MSELoss", "isinstance(criterion, nn.MSELoss)"),
        (' and criterion.reduction == "mean"', ""),
    ),
    *faults_in(
        "_core/darts/loss_check",
        ["test_judged_first"],
        ("has_darts_step(network) and has_darts_loss(network)", "has_darts_step(network)"),
        ("copy.deepcopy(part)", "part"),
    ),
    *faults_in(
        "_core/parked",
        ["_core/test_parked"],
        ("chain(network.parameters(), network.buffers())", "network.parameters()"),
        ("<= size == values.untyped_storage().nbytes()", "<= size"),
        (" and values.is_contiguous()", ""),
        ("        Path(name).unlink()\n", "        pass\n"),
        ("    return_freed()\n", "    pass\n"),
    ),
    *faults_in(
        "_core/step_values",
        ["_core/test_step_values"],
        ("narrow(-1, self._count, count)", "narrow(-1, 0, count)"),
        (" or not self._holds(values.dtype)", ""),
        ("        room[..., : self._count] = kept\n", ""),
        ("if self._dtype is None else torch.promote_types(self._dtype, value.dtype)", ""),
        ('value.device.type != "cpu"', "False"),
    ),
    *faults_in(
        "_core/row_file",
        ["_core/test_row_file"],
        ("view, first * self._size)", "view, 0)"),
        ("(rows.contiguous())", "(rows)"),
        ("[place * size : (place + 1) * size]], row * size)", "[place * size : (place + 1) * size]], place * size)"),
        ("size < LARGE or size < rows * LONG or", "size < LARGE or"),
        ("        except OSError:\n", "        except MemoryError:\n"),
    ),
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
        ("return values if self.visible is None else values.where(self.visible, 0)", "return values"),
        ("(inputs.past_target or series, *past)", "(series, *past)"),
        ("rest = torch.ones(self.length", "rest = torch.zeros(self.length"),
        (
            "_tensor(s.static_covariates_values(copy=False)) for s",
            "_tensor(series[0].static_covariates_values(copy=False)) for s",
        ),
    ),
    *faults_in(
        "_core/window_keys",
        ["_core/test_windows"],
        ("[-(-(length - size + 1) // stride) for", "[(length - size + 1) // stride for"),
    ),
    *faults_in(
        "_core/coverage",
        ["_core/test_windows_with_gaps"],
        ("data.future_covariates, 1 - lookback, labels[-1])", "data.future_covariates, 1 - lookback, labels[0])"),
    ),
    *faults_in(
        "_core/darts/roll_forward",
        ["distillation/test_paired_loss"],
        (
            "torch.cat([past, forecast[:, :start]], dim=1)[:, -lookback:]",
            "torch.cat([past, forecast], dim=1)[:, -lookback:]",
        ),
    ),
    *faults_in(
        "balance",
        ["test_balance"],
        ("(self.final - self.value) * fallen", "(self.value - self.final) * fallen"),
        ("for epoch in range(epochs))", "for epoch in range(epochs - 1))"),
    ),
    *faults_in(
        "_core/own_code",
        ["_core/test_own_code"],
        ("for other in imported:", "for other in ():"),
    ),
    *faults_in(
        "_core/object_spec",
        ["distillation/test_serialization"],
        ("if dotted(made) == name:", "if made is not None:"),
    ),
)
