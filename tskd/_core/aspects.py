"""Aspects of forecasts and representations for which teachers may have weights of their own."""

from typing import Literal

# "features": hidden representations, the student's brought into the teacher's space
Aspect = Literal["forecast", "level", "shape", "mean", "spread", "features"]
