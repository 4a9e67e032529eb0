"""The colours of arms and teachers in figures."""

from __future__ import annotations

from tskd.experiment.results.measurements import Measurements

PRIVILEGED = ("#2f7fc1", "#1f9a86", "#8e62bd", "#5b6ee1")
CONTROL = ("#b9811d", "#96633c", "#8a8022", "#b06a8c")
TEACHER = "#cb5a34"


def colours(results: Measurements) -> dict[str, str]:
    """A colour for each arm but the student alone: cool ones for privileged information, warm ones for controls."""
    names = [arm.name for arm in results.info.arms if arm.name != results.info.alone]
    cool = results.info.privileged
    groups = ([n for n in names if n in cool], PRIVILEGED), ([n for n in names if n not in cool], CONTROL)
    found = {name: palette[i % len(palette)] for group, palette in groups for i, name in enumerate(group)}
    return {name: found[name] for name in names}
