"""Distillation losses, each of which compares the student with one teacher."""

from tskd.losses.attention_transfer import AttentionTransfer
from tskd.losses.attentive_imitation import AttentiveImitation
from tskd.losses.autoregressive_kd import AutoregressiveKD
from tskd.losses.base import DistillationLoss, LabelWeighting, LossTerm, Needs, Predictive, StudentTeacherPair
from tskd.losses.channel_relation import ChannelRelation
from tskd.losses.feature_kd import FeatureKD
from tskd.losses.horizon_weighted import HorizonWeighted
from tskd.losses.level_shape_kd import LevelShapeKD
from tskd.losses.likelihood_kd import LikelihoodKD
from tskd.losses.multi_period_kd import MultiPeriodKD
from tskd.losses.multi_scale_kd import MultiScaleKD
from tskd.losses.outlier_rejection import OutlierRejection
from tskd.losses.output_kd import OutputKD
from tskd.losses.quantile_kd import QuantileKD
from tskd.losses.sample_relation import SampleRelation
from tskd.losses.teacher_bounded import TeacherBounded
from tskd.losses.temporal_relation import TemporalRelation

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
