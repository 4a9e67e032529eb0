"""Conformance tests that a new part inherits."""

from tskd.testing.weighting import WeightingConformance

__all__ = ["WeightingConformance"]
