"""Where no arm has privileged information: which has the lowest error, and which are not significantly worse."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tskd.experiment.statistics.intervals import Comparison


def best_arm(
    compare: Callable[[str, str], Comparison], compared: Mapping[str, Comparison], alone: str
) -> tuple[str, list[str]]:
    """The arm of the lowest error, and those of the others that are not significantly worse.

    Args:
        compare: compares the arm named first with the arm named second.
        compared: arms, each against the student alone.
        alone: the student alone.
    """
    best = min(compared, key=lambda arm: compared[arm].relative)
    if compared[best].relative >= 0:
        return alone, [arm for arm, one in compared.items() if not one.higher]
    others = [alone, *(arm for arm in compared if arm != best)]
    return best, [arm for arm in others if not compare(best, arm).lower]


def best_in_words(best: str, on_a_par: list[str]) -> str:
    """One sentence."""
    others = ", ".join(f"'{arm}'" for arm in on_a_par)
    worse = f"not significantly worse: {others}" if others else "all others are significantly worse"
    return f"Lowest test error: '{best}'; {worse}."
