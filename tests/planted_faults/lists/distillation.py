"""Faults in the fit of a student and its evaluation."""

from __future__ import annotations

from tests.planted_faults.fault import faults_in

VALUES = ["losses/test_values", "distillation/test_paired_loss", "distillation/test_closed_form"]

FAULTS = (
    *faults_in(
        "distillation/objective",
        ["distillation/test_two_of_everything", "distillation/test_paired_loss"],
        ("if pair.teacher == teacher and pair.loss", "if pair.loss"),
        ("else total / count", "else total / len(step.keys)"),
        ("of_teacher.where(valid, 0)", "of_teacher"),
        ("forecasts[:, pair.span] = self._probes", "forecasts[:] = self._probes"),
        ("step.forecasts.where(step.present[..., None], 0)", "step.forecasts"),
    ),
    *faults_in(
        "distillation/loss_sum",
        ["distillation/test_two_of_everything", "distillation/test_paired_loss"],
        ("take(of_steps(chosen[k], span))", "take(of_steps(chosen[0], span))"),
        ("take(sample_weight)[:, span]", "take(sample_weight)[:, :1]"),
        ("step.valid[k] & output.rolled", "step.valid[k]"),
    ),
    *faults_in(
        "distillation/loss_sum",
        ["distillation/test_teachers_at_once"],
        ("loss.least <= 1 and", "True and"),
        ("return self._repeated(self._own_target)", "return self._repeated(self._own_student)"),
        ("found = StudentTeacherPair(own, own, own, views=self.views)", "found = super()"),
        ("with torch.inference_mode(False), torch.enable_grad():", "if True:"),
        ("with torch.inference_mode(False), torch.enable_grad():", "with torch.enable_grad():"),
        ("values.repeat(teachers,", "values.repeat_interleave(teachers, 0).repeat(1,"),
        ("None if sample_weight is None else _for_each", "None if sample_weight is not None else _for_each"),
    ),
    *faults_in(
        "distillation/batches",
        ["distillation/test_batches"],
        ("for part in chosen.split(PART):", "for part in chosen[:PART].split(PART):"),
        (
            "yield forecasts[teacher][usable, span], labels[usable, span]",
            "yield forecasts[0][usable, span], labels[usable, span]",
        ),
        ("inputs = {name: values for name", "part = part.flip(0)\n            inputs = {name: values for name"),
    ),
    *faults_in(
        "distillation/squared_errors",
        ["distillation/test_blend"],
        ("shares.sum(0)", "away.mean(0)"),
        ("weighted * (2 * gradient", "weighted * (gradient"),
        ("if any(weighting.aspects.intersection(loss.aspects)", "if any(False"),
    ),
    *faults_in(
        "distillation/student_step",
        ["distillation/test_blend"],
        ("self._squares and forecast.shape == batch.future_target.shape", "self._squares"),
        (
            "self._squares and forecast.shape == batch.future_target.shape",
            "forecast.shape == batch.future_target.shape",
        ),
    ),
    *faults_in(
        "distillation/blend",
        ["distillation/test_blend"],
        ("addcmul(latest, away, share,", "addcmul(latest, away, share / 2,"),
        ("away = own - latest", "away = own - answers[0]"),
        ("* (share * before)", "* share"),
        ("before = total", "before = weight"),
        ('if weighting.varies == "step" or {', "if {"),
        ("by_epoch and epoch != self._epoch", "False"),
        ("if not outputs.whole or not", "if not"),
        ("None if ones else total", "None"),
        ("keys[part], epoch, device)", "keys[:PART], epoch, device)"),
        ("        self._taken.clear()", ""),
        (
            "tally.add(weights, valid, self._keys.index_select(0, rows)",
            "tally.add(weights, valid, self._keys[: len(rows)]",
        ),
    ),
    *faults_in(
        "distillation/blend",
        ["distillation/test_memory_of_a_fit"],
        ("stored.write(start, mean)", "stored.write(0, mean)"),
        ("if stored is None or not several else", "if stored is None else"),
        ("if like.numel() * like.element_size() <= LARGEST else None", ""),
    ),
    *faults_in(
        "distillation/fit",
        ["distillation/test_memory_of_a_fit"],
        ("if not one.teacher.fitted:", "if True:"),
        ("for model in teacher.models:", "for model in teacher.models[:1]:"),
    ),
    *faults_in(
        "distillation/weighted_sum",
        ["distillation/test_two_of_everything", "distillation/test_missing_labels", "distillation/test_blend"],
        ("torch.add((1 - alpha) * labels", "torch.add(labels"),
        ("teachers, alpha=alpha)", "teachers)"),
        ("mixed(own, self.term, alpha)", "mixed(labels, self.term, alpha)"),
        ("step.whole and step.labelled is None and self._weighting", "self._weighting"),
        ('self._weighting.varies == "never"', 'self._weighting.varies != "step"'),
        ("key = (aspect, number if inside else 0)", "key = (aspect, 0)"),
        ("step.labelled | step.present.any(0)[..., None]", "step.labelled"),
        ("less[:, span] += ", "less[:, span] = "),
    ),
    *faults_in(
        "distillation/paired_loss",
        ["distillation/test_two_of_everything", "distillation/test_paired_loss"],
        ('{"within": (self.span.start, horizon)', '{"within": (0, horizon)'),
        ("step.forecasts[self.teacher], step.target", "step.forecasts[0], step.target"),
    ),
    *faults_in(
        "distillation/fit",
        [
            "distillation/test_two_of_everything",
            "distillation/test_missing_in_fit",
            "weighting/test_calibrated_weightings",
        ],
        ("sets[1] if held_out else sets[0]", "sets[0]"),
        ("data.forecasts_and_labels(teacher))", "data.forecasts_and_labels(0))"),
        ("objective.fields(number))", "objective.fields(0))"),
    ),
    *faults_in(
        "distillation/backtesting",
        ["distillation/test_backtesting", "distillation/test_missing_values"],
        ("{name: items[index] for name, items in hidden", "{name: items[0] for name, items in hidden"),
        ("None if future is None else future[index]", "None if future is None else future[0]"),
    ),
    *faults_in(
        "distillation/batches",
        ["distillation/test_two_of_everything", "distillation/test_missing_labels", "distillation/test_paired_loss"],
        ("torch.nonzero(self.windows.has_labels(self.keys))[:, 0]", "torch.arange(len(self.keys))"),
        ("keys + torch.tensor([0, start])", "keys + torch.tensor([0, start - 1])"),
    ),
    *faults_in(
        "distillation/student_queries",
        ["distillation/test_two_of_everything", "weighting/test_mmkd"],
        ("squared.flatten(2).mean(2)", "squared.flatten(2).sum(2)"),
    ),
    *faults_in(
        "distillation/history",
        ["distillation/test_history", "distillation/test_memory"],
        ("by_hour = sums[:count] / sums[count + 1]", "by_hour = sums[:count] / known"),
        ("torch.maximum(self._extremes, extremes)", "torch.minimum(self._extremes, extremes)"),
        ("            kept.clear()\n", "            pass\n"),
    ),
    *faults_in(
        "distillation/untrained_outputs",
        ["distillation/test_untrained_outputs"],
        ("if parameters > 1 and not needs.likelihood", "if parameters > 2 and not needs.likelihood"),
        ("(gradient != 0).any(0)", "(gradient != 0).any()"),
    ),
    *faults_in(
        "distillation/deployed_inputs",
        ["distillation/test_deployed_inputs"],
        (
            "end - (self.student.input_chunk_length - 1) * values.freq",
            "end - self.student.input_chunk_length * values.freq",
        ),
    ),
)
