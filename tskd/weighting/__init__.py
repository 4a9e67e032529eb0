"""Multi-teacher weightings: how several teachers are combined. None knows which loss it weighs."""

from tskd.weighting.base import Evidence, Judged, Step, Weighting
from tskd.weighting.fixed import Fixed
from tskd.weighting.uniform import Uniform

__all__ = ["Evidence", "Fixed", "Judged", "Step", "Uniform", "Weighting"]
