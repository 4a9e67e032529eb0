"""Parts of a block, for more processes than there are blocks."""

from __future__ import annotations

from collections.abc import Sequence

from tskd.experiment.controls.teacher_variants import TeacherVariant
from tskd.experiment.run.plan import PlannedCell


def split(cells: Sequence[PlannedCell], parts: int) -> list[tuple[PlannedCell, ...]]:
    """Cells in at most `parts` parts of about as many each, those of one teacher together unless they are more.

    Which cells are computed together has no effect on their results. A teacher of several parts is fitted in one of
    them, while the others wait for it (`BlockTeachers`).
    """
    most = -(-len(cells) // parts)
    groups: list[tuple[set[TeacherVariant], list[PlannedCell]]] = []
    for cell in cells:
        teachers, together = _teachers_of(cell), [cell]
        for other in [group for group in groups if group[0] & teachers]:
            groups.remove(other)
            teachers, together = teachers | other[0], other[1] + together
        groups.append((teachers, together))
    pieces = [group[first : first + most] for _, group in groups for first in range(0, len(group), most)]
    found: list[list[PlannedCell]] = [[] for _ in range(parts)]
    for piece in sorted(pieces, key=len, reverse=True):
        min(found, key=len).extend(piece)
    order = {cell.key: number for number, cell in enumerate(cells)}
    return [tuple(sorted(part, key=lambda cell: order[cell.key])) for part in found if part]


def _teachers_of(cell: PlannedCell) -> set[TeacherVariant]:
    """What has to be fitted before a cell."""
    if isinstance(cell.subject, TeacherVariant):
        return {cell.subject}
    return {TeacherVariant(name, cell.subject.placebo) for name in cell.subject.teachers}
