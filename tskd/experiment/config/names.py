"""Names that tables of results reserve, which no arm or teacher may bear."""

from __future__ import annotations

TRUTH = "truth"
TEACHER_LINE = "teacher "
"""What the table of forecasts calls the true values, and puts before the name of a teacher; arms keep their own."""

PLACEBO_SUFFIX = " (placebo)"
"""What tables put behind the name of a teacher for the one fitted on shuffled privileged rows."""
