"""Sources of privileged information: inputs that a teacher has and the student has not."""

from tskd.privileged.base import CovariateBlock, Source
from tskd.privileged.future import FutureHorizon, WayPoint
from tskd.privileged.past import CostlySensors, HighResolution

__all__ = ["CostlySensors", "CovariateBlock", "FutureHorizon", "HighResolution", "Source", "WayPoint"]
