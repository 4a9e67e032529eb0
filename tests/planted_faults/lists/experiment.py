"""Faults in experiments: data, folds, keys, fits, scores, stored cells and choices."""

from __future__ import annotations

from tests.planted_faults.fault import faults_in

X = "experiment"

FAULTS = (
    *faults_in(
        "experiment/data/folds",
        [f"{X}/data/test_unequal_parts", f"{X}/data/test_folds"],
        ("(folds - fold) * (len(index) - test)", "(folds - fold) * (test - validation)"),
        ("**_each(item, partial(_before, stamp=split)))", "**_each(item, partial(_before, stamp=end)))"),
    ),
    *faults_in(
        "experiment/data/preparation",
        [f"{X}/data/test_unequal_parts", f"{X}/data/test_folds"],
        ("training = data.series.drop_after(data.validation_start)", "training = data.series"),
        ('{name: cut(p) for name, p in whole["privileged"].items()}', 'dict(whole["privileged"])'),
        ("{list(series.components)} ", ""),
        (
            "_scaled(series, statistics, validation_start)\n\n    return",
            "_scaled(series, {}, validation_start)\n\n    return",
        ),
    ),
    *faults_in(
        "experiment/data/fit_data",
        [f"{X}/run/test_block", f"{X}/controls/test_controls", f"{X}/controls/test_scarce_labels"],
        ("[{**own, **elsewhere}, own]", "[own, {**own, **elsewhere}]"),
    ),
    *faults_in(
        "experiment/data/complete_windows",
        [f"{X}/data/test_unequal_parts", f"{X}/run/test_missing_values"],
        ("covered &= windows.covers(keys)", "covered = windows.covers(keys)"),
        ("examples=examples_of(complete))", "examples=part.examples)"),
    ),
    *faults_in(
        "experiment/data/outside",
        [f"{X}/config/test_outside_teacher"],
        ('frame["std"] / scale.deviation[at]', '(frame["std"] - scale.mean[at]) / scale.deviation[at]'),
    ),
    *faults_in(
        "experiment/run/plan",
        [f"{X}/run/test_cell_key"],
        ('        "back": experiment.folds - block.fold,\n', ""),
        ('        "scored": list(experiment.steps),\n', ""),
        ('"taught_by": None if by is None else _teacher', '"taught_by": by if by is None or by else _teacher'),
        ('{"labels": canonical(experiment.labels)}', "{}"),
    ),
    *faults_in(
        "experiment/run/plan",
        [f"{X}/run/test_distributions"],
        ('{"levels": list(block.distribution.levels)}', "{}"),
    ),
    *faults_in(
        "experiment/run/distribution_scoring",
        [f"{X}/run/test_distribution_scoring"],
        ("(np.asarray(levels) - 1) * above", "-np.asarray(levels) * above"),
        ("(low <= truth) & (truth <= high)", "(low < truth) & (truth < high)"),
    ),
    *faults_in(
        "experiment/run/rehearsal",
        [f"{X}/config/test_distribution"],
        ("for candidate in candidates:", "for candidate in candidates[:1]:"),
    ),
    *faults_in(
        "experiment/run/scoring",
        [f"{X}/run/test_distribution_scoring", f"{X}/run/test_panels"],
        ("error[~counted] = np.nan", "error[~counted] = 0"),
        ("each * count for each, count in", "each for each, count in"),
    ),
    *faults_in(
        "experiment/data/fit_data",
        [f"{X}/run/test_panels"],
        ("[value[label] for value in values] for label", "[values[0][label] for value in values] for label"),
    ),
    *faults_in(
        "experiment/results/measurements",
        [f"{X}/run/test_panels"],
        ("return steps * int(at_once.max())", "return steps * min(1, int(at_once.max()))"),
    ),
    *faults_in(
        "experiment/run/cell_store",
        [f"{X}/run/test_cell_store", f"{X}/run/test_strange_cells"],
        ("found[stored.key].failed > stored.failed", "found[stored.key].failed < stored.failed"),
        ("if older != path and self._state(older) == (key, True):", "if older != path:"),
    ),
    *faults_in(
        "experiment/run/forecast",
        [f"{X}/data/test_unequal_parts", f"{X}/run/test_block"],
        ("student.output_chunk_shift + 1\n", "1\n"),
        ('visible={"past_target": hidden} if soft_sensor else {}', "visible={}"),
    ),
    *faults_in(
        "experiment/run/block_teachers",
        [f"{X}/data/test_unequal_parts", f"{X}/config/test_teacher", f"{X}/run/test_block"],
        ('zlib.crc32(f"{name} {self.block.seed}".encode())', "self.block.seed"),
    ),
    *faults_in(
        "experiment/controls/shuffling",
        [f"{X}/data/test_unequal_parts", f"{X}/controls/test_controls"],
        ("finest // 3600, finest", "finest // 60, finest"),
    ),
    *faults_in(
        "experiment/results/candidate_choice",
        [f"{X}/config/test_experiment"],
        ("return min(able", "return max(able"),
    ),
    *faults_in(
        "experiment/run/scheduler",
        ["test_callbacks"],
        ("if plan.keys.isdisjoint(finished):", "if plan.keys <= finished:"),
    ),
    *faults_in(
        "experiment/config/yaml_file",
        [f"{X}/config/test_strange_files"],
        ("sum(self._sizes[id(part)] for part in flat)", "sum(1 for part in flat)"),
        ("            str(value)\n", ""),
    ),
    *faults_in(
        "callbacks",
        ["test_callbacks"],
        ("pl_module.load_state_dict(self._best[1])", "pl_module.load_state_dict(pl_module.state_dict())"),
    ),
    *faults_in(
        "experiment/report/policy",
        ["experiment/report/test_policy"],
        ("sha256(style.encode())", "sha256(style.strip().encode())"),
    ),
    *faults_in(
        "experiment/report/figures/style",
        ["experiment/report/test_policy"],
        ("lambda found: _attributes(found[1]), text)", "lambda found: found[0], text)"),
    ),
    *faults_in(
        "experiment/run/scoring",
        [f"{X}/run/test_inference_seconds"],
        ("            self.seconds += time.perf_counter() - began\n            if", "            if"),
        ("began = time.perf_counter()", "began = began if self.seconds else time.perf_counter()"),
        ("sum(one.seconds for one in scores)", "scores[0].seconds"),
    ),
    *faults_in(
        "experiment/results/fev_table",
        [f"{X}/results/test_fev_table"],
        ('table[(table.kind == "student") & (table.fold == fold)]', "table[table.fold == fold]"),
        ('(table.kind == "student") & (table.fold == fold)', 'table.kind == "student"'),
        ('own[["mse", "mae", "crps"]].mean()', 'own[["mse", "mae", "crps"]].iloc[0]'),
        ("own.inference_seconds.mean()", "own.inference_seconds.fillna(0).mean()"),
        ("count * len(info.data.components)", "count"),
        ('own[["mse", "mae", "crps"]]', 'own[["mse", "mae", "pinball"]]'),
        ('"ridge" if ridge else', '"ridge" if False else'),
        ('whole[~whole.duplicated([*TASK, "model_name", "test_error"])]', "whole"),
        ("in whole.index[whole.model_name.isin(alike.model_name)]", "in alike.index"),
        ('"num_windows": starts.nunique()', '"num_windows": count'),
        ("(start - to_offset(info.data.step))", "start"),
        ("- int(info.data.first)) // int(info.data.step)", "- int(info.data.first))"),
        ('[f"{size} training windows"]', "[]"),
        ("else [info.labels]", "else []"),
    ),
)
