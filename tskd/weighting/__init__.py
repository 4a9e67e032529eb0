"""Multi-teacher weightings: how several teachers are combined, whatever the losses are."""

from tskd.weighting.aekd import AEKD
from tskd.weighting.base import Weighting, WeightingNeeds
from tskd.weighting.bates_granger import BatesGranger
from tskd.weighting.calibration_set import CalibrationSet, CalibrationWindows
from tskd.weighting.camkd import CAMKD
from tskd.weighting.demkd import DEMKD
from tskd.weighting.fixed import Fixed
from tskd.weighting.imitability import Imitability
from tskd.weighting.inverse_error import InverseError
from tskd.weighting.lfme import LFME
from tskd.weighting.mmkd import MMKD
from tskd.weighting.step_inputs import MetaStep, Step, StepContext, StepFeatures
from tskd.weighting.uniform import Uniform

__all__ = [
    "AEKD",
    "CAMKD",
    "DEMKD",
    "LFME",
    "MMKD",
    "BatesGranger",
    "CalibrationSet",
    "CalibrationWindows",
    "Fixed",
    "Imitability",
    "InverseError",
    "MetaStep",
    "Step",
    "StepContext",
    "StepFeatures",
    "Uniform",
    "Weighting",
    "WeightingNeeds",
]
