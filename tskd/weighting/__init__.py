"""Multi-teacher weightings: how several teachers are combined. None knows which loss it weighs."""

from tskd.weighting.aekd import AEKD
from tskd.weighting.base import Evidence, Hint, Judged, Rehearsal, Step, Weighting
from tskd.weighting.bates_granger import BatesGranger
from tskd.weighting.camkd import CAMKD
from tskd.weighting.demkd import DEMKD
from tskd.weighting.fixed import Fixed
from tskd.weighting.imitability import Imitability
from tskd.weighting.inverse_error import InverseError
from tskd.weighting.lfme import LFME
from tskd.weighting.mmkd import MMKD
from tskd.weighting.uniform import Uniform

__all__ = [
    "AEKD",
    "CAMKD",
    "DEMKD",
    "LFME",
    "MMKD",
    "BatesGranger",
    "Evidence",
    "Fixed",
    "Hint",
    "Imitability",
    "InverseError",
    "Judged",
    "Rehearsal",
    "Step",
    "Uniform",
    "Weighting",
]
