"""Tests that a part of one's own inherits: `TestMine = WeightingConformance.of(Mine)`, and likewise for each kind."""

from tskd.testing._series_case import SeriesCase
from tskd.testing.balance import BalanceConformance
from tskd.testing.dataset import DataSetConformance
from tskd.testing.loss import LossConformance
from tskd.testing.model import DistilledModelConformance
from tskd.testing.source import SourceConformance
from tskd.testing.teacher import TeacherConformance
from tskd.testing.weighting import WeightingConformance

__all__ = [
    "BalanceConformance",
    "DataSetConformance",
    "DistilledModelConformance",
    "LossConformance",
    "SeriesCase",
    "SourceConformance",
    "TeacherConformance",
    "WeightingConformance",
]
