"""Calls of what reads files: configurations, YAML, the command line, and saved models."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tests.bad_calls import odd

FileCall = tuple[str, str, tuple[str, ...]]
KEYS = [
    *(
        "name",
        "student",
        "student.class",
        "student.kwargs",
        "student.kwargs.n_epochs",
        "student.kwargs.optimizer_kwargs",
    ),
    *("student.kwargs.input_chunk_length", "student.kwargs.output_chunk_length", "student.kwargs.nope", "teachers"),
    *("teachers.future", "teachers.future.model", "teachers.future.model.kwargs.input_chunk_length", "teachers.other"),
    *("teachers.future.privileged", "teachers.future.privileged.class", "teachers.future.privileged.kwargs.end"),
    *("teachers.fine.privileged.0", "teachers.fine.privileged.1.kwargs.name", "teachers.fine.sees_inputs"),
    *("teachers.equal.cross_fit", "teachers.equal.taught_by", "teachers.equal.archive", "teachers.equal.target"),
    *("arms", "arms.0", "arms.0.name", "arms.0.students", "arms.0.penalties", "arms.0.smoothing", "arms.0.oracle"),
    *("arms.1.losses", "arms.1.losses.0.kwargs.metric", "arms.1.weighting", "arms.1.weighting.class", "arms.1.balance"),
    *("arms.1.teachers", "arms.1.teachers.0", "arms.1.archive", "arms.1.placebo", "arms.1.nope"),
    *("seeds", "soft_sensor", "scored", "sizes", "folds", "labels", "controls", "lookback", "horizon", "nope", "grid"),
]
PLAIN = [value for value in odd.ANYTHING if value[0] in "'0123456789-[{TFN" and value not in ("1j", "Fraction(1, 2)")]
NUMBERS = ["nan", "inf", "1e-3", "{'class': 'nope'}", "{'last_days': -1}", "{'every': 10**30}", "[0, 0]", "[1, 10**30]"]
SAVED = ["distilled.json", "checksums.json", "student.pt", "student.pt.ckpt", "teacher0.0.pt", "teacher0.0.pt.ckpt"]
ENTRIES = [
    *(
        "format",
        "student",
        "components",
        "components.series",
        "losses",
        "losses.0",
        "losses.0.class",
        "losses.0.kwargs",
    ),
    *(
        "losses.0.kwargs.metric",
        "losses.0.kwargs.weight",
        "weighting",
        "weighting.class",
        "weighting.kwargs",
        "balance",
    ),
    *("balance.kwargs.value", "soft_sensor", "teachers", "teachers.0", "teachers.0.kind", "teachers.0.name"),
    *("teachers.0.sources", "teachers.0.sources.0.kwargs.until", "teachers.0.models", "teachers.0.components"),
    *("teachers.0.sees_inputs", "teachers.0.seen_until", "teachers.0.given_fitted", "teachers.0.cross_fit", "nope"),
]


def _value(chance: random.Random) -> str:
    return chance.choice([*PLAIN, *NUMBERS, "..."])


def _changes(chance: random.Random) -> tuple[str, tuple[str, ...]]:
    keys = chance.sample(KEYS, chance.choice([1, 1, 1, 2]))
    if keys[0].startswith(keys[-1]) or keys[-1].startswith(keys[0]):
        keys = keys[:1]
    return "{" + ", ".join(f"{key!r}: {_value(chance)}" for key in keys) + "}", tuple(keys)


def of_dict(chance: random.Random) -> FileCall:
    changes, keys = _changes(chance)
    return "configuration", f"Experiment(**config({changes}))", keys


def of_yaml(chance: random.Random) -> FileCall:
    changes, keys = _changes(chance)
    written = f"text({changes})"
    if chance.random() < 0.5:
        instead = chance.choice(
            [
                "''",
                "'\\0'",
                "':'",
                "'- '",
                "'{'",
                "'*a'",
                "'&a '",
                "'!!python/name:os.system '",
                "'\\t'",
                "'é'",
                "'\\ud800'",
            ]
        )
        at, count = round(chance.random(), 3), chance.choice([0, 1, 30, 10_000])
        written, keys = f"cut(text({{}}), {at}, {count}, {instead})", ()
    return "YAML", f"{chance.choice(['Study', 'Experiment'])}.from_yaml(file({written}))", keys


def of_command(chance: random.Random) -> FileCall:
    changes, _ = _changes(chance)
    word = chance.choice([value for value in odd.ANYTHING if value[0] in "'0123456789-nTFb"])
    texts = [
        f"command('report', run_folder({_run_changes(chance)}))",
        f"command('run', file(text({changes})), '--workers', {word})",
        f"command('run', file(text({changes})), '--engine', {word})",
        f"command('run', file(text({{}})), '--address', {word})",
        f"command('run', file(text({changes})), '--out', place('out'))",
        f"command({word}, {word})",
        f"command({word})",
        f"command('resume', {word})",
        f"command('report', {word})",
        f"command('datasets', {word})",
        f"command('expected-gain', file(text({changes})), {word})",
        "command('run', file(text({})), '--out', file('abc'))",
        f"command('expected-gain', file(cut(text({{}}), {round(chance.random(), 3)}, 40)))",
    ]
    return "command line", chance.choice(texts), ()


def _run_changes(chance: random.Random) -> str:
    key = chance.choice(
        ["name", "data", "seeds", "sizes", "folds", "arms.1.balance", "student.kwargs.n_epochs", "nope"]
    )
    return f"{{{key!r}: {_value(chance)}}}"


def of_saved(chance: random.Random) -> FileCall:
    name, sealed = chance.choice(SAVED), chance.random() < 0.5
    how = chance.choice(["flip", "flip", "cut", "double", "lose"])
    made = f"damaged({name!r}, {how!r}, {round(chance.random(), 3)}, {sealed})"
    if chance.random() < 0.5:
        made = f"described({chance.choice(ENTRIES)!r}, {_value(chance)})"
    return "load", f"DistilledModel.load({made})", ()


def of_place(chance: random.Random) -> FileCall:
    value = chance.choice(odd.ANYTHING)
    if chance.random() < 0.5 or value in ("'abc'", "''", "'x' * 10**4"):
        return "load", f"DistilledModel.load(path={value})", ("path",)
    return "save", f"fitted().save(path=place('saved'), clean={value})", ("clean",)


FILES: list[Callable[[random.Random], Any]] = [
    of_dict,
    of_dict,
    of_dict,
    of_yaml,
    of_yaml,
    of_command,
    of_saved,
    of_place,
]
