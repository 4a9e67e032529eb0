"""A case of every loss and of every weighting, by name."""

from __future__ import annotations

from collections.abc import Callable

from tskd.losses import (
    AttentionTransfer,
    AttentiveImitation,
    AutoregressiveKD,
    ChannelRelation,
    FeatureKD,
    HorizonWeighted,
    LevelShapeKD,
    LikelihoodKD,
    LossTerm,
    MultiPeriodKD,
    MultiScaleKD,
    OutlierRejection,
    OutputKD,
    QuantileKD,
    SampleRelation,
    TeacherBounded,
    TemporalRelation,
)
from tskd.weighting import (
    AEKD,
    CAMKD,
    DEMKD,
    LFME,
    MMKD,
    BatesGranger,
    Fixed,
    Imitability,
    InverseError,
    Uniform,
    Weighting,
)

AHEAD = 2

LOSSES: dict[str, Callable[[], LossTerm]] = {
    "output-mse": OutputKD,
    "bounded": TeacherBounded,
    "attentive": AttentiveImitation,
    "rejection": lambda: OutlierRejection(0.3),
    "level-and-shape": LevelShapeKD,
    "horizon-bounded": lambda: HorizonWeighted(TeacherBounded(metric="mae")),
    "likelihood": LikelihoodKD,
    "quantiles": QuantileKD,
    "scales": lambda: MultiScaleKD(2),
    "periods": MultiPeriodKD,
    "roll": lambda: AutoregressiveKD(AHEAD),
    "samples": SampleRelation,
    "steps": TemporalRelation,
    "channels": ChannelRelation,
    "features": FeatureKD,
    "features-samples": lambda: FeatureKD(projector=None, loss=SampleRelation()),
    "attention": AttentionTransfer,
}

WEIGHTINGS: dict[str, Callable[[], Weighting]] = {
    "uniform": Uniform,
    "fixed": lambda: Fixed({"a": 1.0, "b": 2.0, "c": 4.0}),
    "inverse": InverseError,
    "bates-granger": BatesGranger,
    "camkd": CAMKD,
    "camkd-softmin": lambda: CAMKD("softmin", confidence="likelihood", features=True),
    "demkd": DEMKD,
    "demkd-aspects": lambda: DEMKD(decoupled=True, features=True),
    "imitability": Imitability,
    "mmkd": lambda: MMKD(outer="training"),
    "aekd": AEKD,
    "aekd-head": lambda: AEKD(space="head"),
    "lfme": LFME,
    "lfme-levels": lambda: LFME("quantile", bins=2, responsibility="best"),
    "lfme-steps": lambda: LFME("horizon", bins=2),
}
