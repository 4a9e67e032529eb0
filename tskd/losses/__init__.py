"""Distillation losses: what knowledge is passed on. Each compares the student with one teacher."""

from tskd.losses.attention import AttentionTransfer
from tskd.losses.attentive import AttentiveImitation
from tskd.losses.base import DistillationLoss, LabelWeighting, LossTerm, Needs, Predictive, StudentTeacherPair
from tskd.losses.bounded import TeacherBounded
from tskd.losses.channels import ChannelRelation
from tskd.losses.features import FeatureKD
from tskd.losses.horizon import HorizonWeighted
from tskd.losses.level import LevelShapeKD
from tskd.losses.likelihood import LikelihoodKD
from tskd.losses.outliers import OutlierRejection
from tskd.losses.output import OutputKD
from tskd.losses.periods import MultiPeriodKD
from tskd.losses.quantile import QuantileKD
from tskd.losses.roll import AutoregressiveKD
from tskd.losses.samples import SampleRelation
from tskd.losses.scales import MultiScaleKD
from tskd.losses.steps import TemporalRelation

__all__ = [
    "AttentionTransfer",
    "AttentiveImitation",
    "AutoregressiveKD",
    "ChannelRelation",
    "DistillationLoss",
    "FeatureKD",
    "HorizonWeighted",
    "LabelWeighting",
    "LevelShapeKD",
    "LikelihoodKD",
    "LossTerm",
    "MultiPeriodKD",
    "MultiScaleKD",
    "Needs",
    "OutlierRejection",
    "OutputKD",
    "Predictive",
    "QuantileKD",
    "SampleRelation",
    "StudentTeacherPair",
    "TeacherBounded",
    "TemporalRelation",
]
