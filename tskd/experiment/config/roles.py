"""What objects of a configuration are for, and which classes a file may name for it.

A configuration file is data. It may name darts' global models, the parts of tskd, torch's optimizers, schedulers and
loss functions, and early stopping, and nothing else that Python could import, but for classes of the modules that its
user allows (`tskd.experiment.config.own_classes`).
"""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass
from functools import cache
from typing import Any

from darts.utils.utils import NotImportedModule

from tskd.experiment.config.errors import nearest


@dataclass(frozen=True)
class Role:
    """What an object is for: how messages call it, the modules whose public names are allowed, and their base class."""

    label: str
    modules: tuple[str, ...]
    base: str

    @cache  # noqa: B019 (there are as many roles as are made below)
    def allowed(self, name: str) -> type:
        """The class called `name`, with or without its module. Raises ValueError unless the role allows it."""
        prefix, _, short = name.rpartition(".")
        places = {module: self._names(module) for module in self.modules}
        module = next((one for one in places if prefix in ("", one) and short in places[one]), None)
        if module is None:
            own = f" A class of your own: `--allow-module {prefix}`." if prefix and prefix not in places else ""
            known = [one for names in places.values() for one in names]
            raise ValueError(
                f"class {name!r} is not allowed as {self.label}: it must be a public name of "
                f"{' or '.join(self.modules)}. {nearest(short, known)}{own}"
            )
        found = getattr(importlib.import_module(module), short)
        if isinstance(found, NotImportedModule):
            raise ValueError(f"class {name!r} needs a package that is not installed: pip install 'tskd[trees]'.")
        return self.checked(found, name)

    def checked(self, found: Any, name: str) -> type:
        """A class, if objects of the role can be made of it; ValueError, which gives it this name, if not."""
        base = self._base()
        concrete = self is CALLBACK or not (found is base or inspect.isabstract(found))
        if not (inspect.isclass(found) and issubclass(found, base) and concrete):
            raise ValueError(f"class {name!r} is not allowed as {self.label}: it is not a kind of {base.__name__}.")
        return found

    def holds(self, value: Any) -> bool:
        """Whether `value` is an object of this role."""
        return isinstance(value, self._base())

    def _base(self) -> type:
        module, _, name = self.base.rpartition(".")
        return getattr(importlib.import_module(module), name)

    @staticmethod
    def _names(name: str) -> list[str]:
        module = importlib.import_module(name)
        return [n for n in getattr(module, "__all__", dir(module)) if n[0].isupper()]


MODEL = Role(
    "darts torch model", ("darts.models",), "darts.models.forecasting.torch_forecasting_model.TorchForecastingModel"
)
TEACHER = Role(
    "darts global model", ("darts.models",), "darts.models.forecasting.forecasting_model.GlobalForecastingModel"
)
PRIVILEGED = Role("source of privileged information", ("tskd.privileged",), "tskd.privileged.Source")
LOSS = Role("distillation loss", ("tskd.losses",), "tskd.losses.LossTerm")
WEIGHTING = Role("weighting of teachers", ("tskd.weighting",), "tskd.weighting.Weighting")
BALANCE = Role("balance", ("tskd.balance",), "tskd.balance.Balance")
OPTIMIZER = Role("optimizer", ("torch.optim",), "torch.optim.Optimizer")
SCHEDULER = Role("learning-rate scheduler", ("torch.optim.lr_scheduler",), "torch.optim.lr_scheduler.LRScheduler")
LOSS_FUNCTION = Role("loss function", ("torch.nn",), "torch.nn.modules.loss._Loss")
LIKELIHOOD = Role(
    "likelihood", ("darts.utils.likelihood_models",), "darts.utils.likelihood_models.torch.TorchLikelihood"
)
CALLBACK = Role(
    "callback", ("pytorch_lightning.callbacks", "tskd.callbacks"), "pytorch_lightning.callbacks.EarlyStopping"
)
