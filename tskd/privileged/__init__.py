"""Sources of privileged information: what a teacher sees that the student will not."""

from tskd.privileged.base import CovariateBlock, Source
from tskd.privileged.future import FutureHorizon, WayPoint
from tskd.privileged.past import CostlySensors, HighResolution

__all__ = ["CostlySensors", "CovariateBlock", "FutureHorizon", "HighResolution", "Source", "WayPoint"]
