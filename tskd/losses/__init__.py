"""Distillation losses: what knowledge is passed on. Each compares the student with one teacher."""

from tskd.losses.base import Comparison, DistillationLoss
from tskd.losses.output import OutputKD

__all__ = ["Comparison", "DistillationLoss", "OutputKD"]
