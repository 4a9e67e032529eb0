"""Tables and the figure of the benchmark of harm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from no_harm_data import DEVELOPMENT, FAR_HORIZON, INDICES
from scipy.stats import norm
from tables import markdown

RULES = {
    "prudent": "`AutoBalance()`",
    "bold": "`AutoBalance(bold=True)`",
    "validated": "validated",
    "fixed 0.25": "α = .25",
    "fixed 0.5": "α = .5",
    "fixed 1": "α = 1",
}
LITTLE, MUCH = "> .5 % worse", "> 2 % worse"
WORSE = {LITTLE: 1.005, MUCH: 1.02}
HEADER = ("cells", "rule", "number", *WORSE, "worst", "kept of good teachers'", "median α of good")
# shares of cells worse by > .5 % and > 2 %, the worst ratio, and the share kept
ONE_SERIES, POOLED_GOALS = (0.05, 0.02, 1.15, None), (0.03, 0.01, 1.05, 0.7)


def wilson(hits: int, number: int) -> tuple[float, float]:
    """95 % interval of a share."""
    z = norm.ppf(0.975)
    share = hits / number
    centre, half = share + z**2 / (2 * number), z * np.sqrt(share * (1 - share) / number + z**2 / (4 * number**2))
    return tuple(float((centre + sign * half) / (1 + z**2 / number)) for sign in (-1, 1))  # type: ignore[return-value]


def kept(cells: pd.DataFrame, rule: str) -> float:
    """Share of the hindsight-best gain over good teachers; NaN where there is none."""
    good = cells[~cells.useless]
    possible = (1 - good.hindsight).sum()
    return float((1 - good[rule]).sum() / possible) if possible > 0 else float("nan")


def figures(cells: pd.DataFrame, rule: str) -> dict[str, str]:
    """What a rule did in some cells."""
    ratio, share = cells[rule], kept(cells, rule)
    found = {"number": f"{len(cells):,}", "worst": f"{ratio.max():.3f}"}
    for name, bound in WORSE.items():
        hits = int((ratio > bound).sum())
        low, high = wilson(hits, len(cells))
        found[name] = f"{hits / len(cells):.1%} [{low:.1%}, {high:.1%}]"
    found["kept of good teachers'"] = "" if np.isnan(share) else f"{share:.0%}"
    found["median α of good"] = f"{cells[~cells.useless][f'alpha, {rule}'].median():.2f}"
    return found


def verdict(name: str, cells: pd.DataFrame, goals: tuple[float, float, float, float | None]) -> str:
    """Which goals the prudent rule meets, in words."""
    ratio = cells["prudent"]
    shares = [float((ratio > bound).mean()) for bound in WORSE.values()]
    values = [*shares, float(ratio.max()), kept(cells, "prudent")]
    said = [
        f"{value:.1%} worse by {bound} (goal {goal:.0%}: {'met' if value <= goal else 'missed'})"
        for value, goal, bound in zip(values, goals, (".5 %", "2 %"), strict=False)
        if goal is not None
    ]
    said.append(f"worst {values[2]:.3f} ({goals[2]:.2f}: {'met' if values[2] <= (goals[2] or 0) else 'missed'})")
    if goals[3] is not None:
        said.append(f"{values[3]:.0%} kept ({goals[3]:.0%}: {'met' if values[3] >= goals[3] else 'missed'})")
    return f"- {name}, {len(cells):,} cells: {', '.join(said)}."


def groups(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Some cells of linear students, by what they are."""
    early, single, full = table.data.isin(DEVELOPMENT), table.labels != "pooled", table.labels == "all"
    fresh = full & (table.data.isin(INDICES) | (table.horizon == FAR_HORIZON))
    yield "one series, all labels, development", table[full & early]
    yield "one series, all labels, confirmation", table[full & ~early]
    yield "of these, fresh", table[fresh]
    for labels, name in (("block", "labels of one stretch"), ("scattered", "scattered labels")):
        yield f"{name}, development", table[(table.labels == labels) & early]
        yield f"{name}, confirmation", table[(table.labels == labels) & ~early]
    yield "pooled", table[~single]


def section(table: pd.DataFrame, networks: pd.DataFrame, trained: pd.DataFrame | None = None) -> str:
    """The section of `benchmarks/README.md`.

    Args:
        trained: differences that `no_harm_trained.py` found.
    """
    named = [*groups(table)]
    if len(networks):
        early = networks.data.isin(DEVELOPMENT)
        named += [("networks, development", networks[early]), ("networks, confirmation", networks[~early])]
    named = [(name, cells) for name, cells in named if len(cells)]
    lines = [
        {"cells": name, "rule": text, **figures(cells, rule)} for name, cells in named for rule, text in RULES.items()
    ]
    single = table[table.labels != "pooled"]
    goals = [
        verdict(name, cells, POOLED_GOALS if name == "pooled" else ONE_SERIES)
        for name, cells in named
        if "development" not in name
    ]
    counts = f"{len(table):,} cells of linear students and {len(networks):,} of networks."
    parts = [
        "## Harm: how far teachers are trusted",
        "`TSKD_DATA=folder/of/data python benchmarks/no_harm.py`; the design, stated before, is in the file.",
        f"Test error over that of the same student on labels alone, {counts} 95 % intervals of shares are Wilson's and "
        "take cells as independent, which those of one source are not. [results/no_harm.csv](results/no_harm.csv)",
        "`AutoBalance()` and its goals, on cells that it was not chosen on:",
        "\n".join(goals) + _each(table) + _trained(networks) + _converged(trained),
        markdown(HEADER, lines),
        "![sorted cells](results/no_harm.png)",
    ]
    for by in ("teacher", "data", "windows"):
        parts += [f"Linear students of one series, by {by}: median ratio, and the largest.", _by(single, by)]
    if len(networks):
        parts += ["Networks, by teacher: median ratio, and the largest.", _by(networks, "teacher")]
    return "\n\n".join(parts)


def _by(table: pd.DataFrame, column: str) -> str:
    lines = [
        {column: str(name), "number": str(len(cells)), **{text: _spread(cells[rule]) for rule, text in RULES.items()}}
        for name, cells in table.groupby(column, sort=False)
    ]
    return markdown((column, "number", *RULES.values()), lines)


def _each(table: pd.DataFrame) -> str:
    worse = table[table.labels == "pooled"]["worst series, prudent"]
    if not len(worse):
        return ""
    return (
        f"\n- Of pooled cells, the worst single series is more than .5 % worse in {(worse > 1.005).mean():.1%}, more "
        f"than 2 % in {(worse > 1.02).mean():.1%}, at most {worse.max():.3f}."
    )


def _trained(networks: pd.DataFrame) -> str:
    if "trained over blend" not in networks:
        return ""
    ratio = networks["trained over blend"].dropna()
    return (
        f"\n- A network trained with the balance that it chooses, over the blend of the same seed: median "
        f"{ratio.median():.3f}, {ratio.min():.3f} to {ratio.max():.3f}, {len(ratio)} cells."
    )


def _converged(trained: pd.DataFrame | None) -> str:
    if trained is None:
        return ""
    most = trained[["from closed form", "from blend"]].max(axis=None)
    return (
        "\n- NLinear trained to convergence by `DistilledModel` with the α that it chooses "
        f"({trained.alpha.min():.2f} to {trained.alpha.max():.2f}, {len(trained)} cells, `no_harm_trained.py`) "
        f"forecasts within {most:.0e} standard deviations of the closed form and of the blend."
    )


def _spread(ratio: pd.Series) -> str:
    return f"{ratio.median():.3f}, {ratio.max():.2f}"


def figure(table: pd.DataFrame, networks: pd.DataFrame, path: Path) -> None:
    """Sorted ratios of every rule."""
    import matplotlib.pyplot as plt

    pooled = table.labels == "pooled"
    panels = [("one series", table[~pooled]), ("pooled", table[pooled]), ("networks", networks)]
    panels = [(title, cells) for title, cells in panels if len(cells)]
    drawn, axes = plt.subplots(1, len(panels), figsize=(4 * len(panels) + 1, 3.6), sharey=True, squeeze=False)
    for axis, (title, cells) in zip(axes[0], panels, strict=True):
        for rule, text in RULES.items():
            ratio = np.sort(cells[rule].to_numpy())
            axis.plot(np.linspace(0, 1, len(ratio)), ratio, label=text.strip("`"), lw=1.4)
        axis.axhline(1, color="0.6", lw=0.8)
        axis.set(title=title, xlabel="share of cells", ylim=(0.6, 1.5))
    axes[0, 0].set_ylabel("test error over labels alone")
    axes[0, 0].legend(frameon=False, fontsize=8)
    drawn.tight_layout()
    drawn.savefig(path, dpi=130)
    plt.close(drawn)
