"""Conformance tests that a new weighting inherits."""

from tskd.testing.weighting import WeightingConformance

__all__ = ["WeightingConformance"]
