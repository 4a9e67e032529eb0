"""Multi-teacher weightings: how several teachers are combined. None knows which loss it weighs."""

from tskd.weighting.base import Evidence, Judged, Rehearsal, Step, Weighting
from tskd.weighting.fixed import Fixed
from tskd.weighting.mmkd import MMKD
from tskd.weighting.uniform import Uniform

__all__ = ["MMKD", "Evidence", "Fixed", "Judged", "Rehearsal", "Step", "Uniform", "Weighting"]
