"""Tests that a part of one's own inherits: `TestMine = WeightingConformance.of(Mine)`, and likewise for each kind."""

from tskd.testing.balance import BalanceConformance
from tskd.testing.loss import LossConformance
from tskd.testing.source import SourceConformance
from tskd.testing.weighting import WeightingConformance

__all__ = ["BalanceConformance", "LossConformance", "SourceConformance", "WeightingConformance"]
