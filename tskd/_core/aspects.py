"""Of what a term is: the sides of a forecast, and of a representation, for which teachers may be weighed apart."""

from typing import Literal

# "features": hidden representations, the student's brought into the teacher's space
Aspect = Literal["forecast", "level", "shape", "mean", "spread", "features"]
