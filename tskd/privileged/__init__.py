"""Sources of privileged information: what a teacher sees that the student will not."""

from tskd.privileged.base import Block, Source
from tskd.privileged.future import FutureHorizon, WayPoint
from tskd.privileged.past import CostlySensors, HighResolution

__all__ = ["Block", "CostlySensors", "FutureHorizon", "HighResolution", "Source", "WayPoint"]
