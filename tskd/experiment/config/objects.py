"""Objects named in a configuration: a class by its public name and its arguments, from an allow-list only.

A configuration file is data. It may name darts' global models, the parts of tskd, torch's optimizers and Lightning's
EarlyStopping, and nothing else that Python could import.
"""

from __future__ import annotations

import copy
import difflib
import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from darts.utils.utils import NotImportedModule
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tskd._core.checks import MOST
from tskd._core.quiet_logs import quiet
from tskd.datasets import DataSet
from tskd.experiment.config.errors import explain
from tskd.experiment.config.model_arguments import check_arguments

TRAINER = {
    "accelerator": "cpu",
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "enable_checkpointing": False,
    "logger": False,
}
"""Trainer arguments of a fit in an experiment; those that a configuration gives come before these."""


@dataclass(frozen=True)
class Role:
    """What an object is for: how messages call it, the module whose public names are allowed, and their base class."""

    label: str
    module: str
    base: str

    def allowed(self, name: str) -> type:
        """The class called `name`, with or without its module. Raises ValueError unless the role allows it."""
        module = importlib.import_module(self.module)
        prefix, _, short = name.rpartition(".")
        names = [n for n in getattr(module, "__all__", dir(module)) if n[0].isupper()]
        if prefix not in ("", self.module) or short not in names:
            raise ValueError(
                f"class {name!r} is not allowed as {self.label}: it must be a public name of {self.module}. "
                f"{nearest(short, names)}"
            )
        found, base = getattr(module, short), self._base()
        if isinstance(found, NotImportedModule):
            raise ValueError(f"class {name!r} needs a package that is not installed: pip install 'tskd[trees]'.")
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


MODEL = Role(
    "darts torch model", "darts.models", "darts.models.forecasting.torch_forecasting_model.TorchForecastingModel"
)
TEACHER = Role(
    "darts global model", "darts.models", "darts.models.forecasting.forecasting_model.GlobalForecastingModel"
)
PRIVILEGED = Role("source of privileged information", "tskd.privileged", "tskd.privileged.Source")
LOSS = Role("distillation loss", "tskd.losses", "tskd.losses.LossTerm")
WEIGHTING = Role("weighting of teachers", "tskd.weighting", "tskd.weighting.Weighting")
BALANCE = Role("balance", "tskd.balance", "tskd.balance.Balance")
OPTIMIZER = Role("optimizer", "torch.optim", "torch.optim.Optimizer")
LIKELIHOOD = Role("likelihood", "darts.utils.likelihood_models", "darts.utils.likelihood_models.torch.TorchLikelihood")
CALLBACK = Role("callback", "pytorch_lightning.callbacks", "pytorch_lightning.callbacks.EarlyStopping")


class Strict(BaseModel):
    """A frozen section of a configuration; an unknown key is an error that names the nearest known key."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, arbitrary_types_allowed=True)

    @model_validator(mode="before")
    @classmethod
    def _check_known_keys(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            known = [field.alias or name for name, field in cls.model_fields.items()]
            for key in data:
                if key not in known and key not in cls.model_fields:
                    raise ValueError(f"unknown key {key!r}. {nearest(str(key), known)}")
        return data


Whole = Annotated[int, Field(strict=True, le=MOST)]
"""A whole number, a million at most; neither `true` nor a text that reads like one."""


class Spec(Strict):
    """`class:` and `kwargs:` of one object; specs nested in `kwargs` (callbacks) are built with it."""

    class_: str = Field(alias="class")
    kwargs: dict[str, Any] = Field(default_factory=dict)

    def build(self, role: Role) -> Any:
        """A fresh object. Raises ValueError for a class that is not allowed or arguments that it rejects."""
        return self.build_checked(role, check_arguments if role in (MODEL, TEACHER) else None)

    def build_checked(self, role: Role, check: Callable[[Mapping[str, Any]], None] | None = None) -> Any:
        """A fresh object, of arguments that are checked first; without `check`, of those that were."""
        made = role.allowed(self.class_)
        try:
            if check is not None:
                check(self.kwargs)
            return made(**{name: _built(name, value) for name, value in self.kwargs.items()})
        except Exception as error:
            # whatever a class of another package makes of arguments that it cannot use
            reason = str(error) or f"its arguments are refused ({type(error).__name__})."
            raise ValueError(f"{self.class_}: {reason}{_misspelt(made, self.kwargs)}") from error

    def __str__(self) -> str:
        return f"{self.class_}({', '.join(f'{name}={_shown(value)}' for name, value in self.kwargs.items())})"


def parse_object(value: Any, role: Role) -> Any:
    """What a configuration gives for `role`, checked: a `Spec`, or a user's own object as it is.

    A class name or a mapping becomes a `Spec`, and so does a darts model, since every seed needs a fresh one.
    """
    if isinstance(value, str):
        value = {"class": value}
    if isinstance(value, Mapping):
        try:
            value = Spec.model_validate(value)
        except ValidationError as error:
            raise ValueError(" ".join(explain(error))) from error
    elif role in (MODEL, TEACHER) and role.holds(value):
        made = type(value)
        if role.allowed(made.__name__) is not made:
            raise ValueError(
                f"{made.__module__}.{made.__qualname__} is not {role.module}.{made.__name__}: every seed needs a fresh "
                f"model, which is made by the name of its class; give a model of {role.module} itself."
            )
        value = Spec.model_validate({"class": type(value).__name__, "kwargs": dict(value.model_params)})
    if isinstance(value, Spec):
        with quiet():
            value.build(role)
    elif not role.holds(value):
        raise ValueError(f"{value!r} is not a {role.label}: give a class name, or `class:` and `kwargs:`.")
    return value


def build_object(value: Any, role: Role) -> Any:
    """A fresh object for one fit from what `parse_object` returned."""
    return value.build(role) if isinstance(value, Spec) else copy.deepcopy(value)


def seeded_model(spec: Spec, seed: int, role: Role = MODEL) -> Any:
    """A fresh darts model for one fit, or an ensemble of such, whose random state is the seed."""
    from darts.models.forecasting.torch_forecasting_model import TorchForecastingModel

    members = spec.kwargs.get("forecasting_models")
    if members is not None:
        # an ensemble has no random state of its own
        seeded = [seeded_model(Spec.model_validate(member), seed, role) for member in members]
        return spec.model_copy(update={"kwargs": {**spec.kwargs, "forecasting_models": seeded}}).build_checked(role)
    kwargs = {**spec.kwargs, "random_state": seed}
    if issubclass(role.allowed(spec.class_), TorchForecastingModel):
        kwargs["pl_trainer_kwargs"] = {**TRAINER, **spec.kwargs.get("pl_trainer_kwargs", {})}
    return spec.model_copy(update={"kwargs": kwargs}).build_checked(role)


def plain(value: Any) -> Any:
    """A configuration as YAML can hold it; Python objects become their repr."""
    if isinstance(value, Spec) and not value.kwargs:
        return value.class_
    if isinstance(value, Strict):
        fields = type(value).model_fields
        return {fields[name].alias or name: plain(getattr(value, name)) for name in fields}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, DataSet):
        return value.name
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)


def reproducible(value: Any) -> bool:
    """Whether the YAML of a configuration, or of a part of one, gives the same again: not where it holds data or
    objects from Python, which stand there by their name or repr."""
    if isinstance(value, Strict):
        return all(reproducible(item) for _, item in value)
    if isinstance(value, dict):
        return all(reproducible(item) for pair in value.items() for item in pair)
    if isinstance(value, list | tuple):
        return all(map(reproducible, value))
    return value is None or isinstance(value, bool | int | float | str)


def nearest(name: str, known: Iterable[str]) -> str:
    """'Did you mean …?', or all that is known if nothing is near."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(map(str, known))}."


def _misspelt(made: type, kwargs: Iterable[str]) -> str:
    """The nearest argument of the class or its bases to the first one in `kwargs` that none of them takes."""
    bases = list(made.__mro__)
    if MODEL.base.endswith(tuple(f".{base.__name__}" for base in bases)):
        from darts.models.forecasting.pl_forecasting_module import PLForecastingModule

        bases.append(PLForecastingModule)  # darts' models hand optimizer, loss and likelihood on to their module
    initialisers = [vars(base)["__init__"] for base in bases if inspect.isfunction(vars(base).get("__init__"))]
    known = [name for init in initialisers for name in inspect.signature(init).parameters if name != "self"]
    return next((f" {nearest(name, known)}" for name in kwargs if name not in known), "")


def _built(name: str, value: Any) -> Any:
    """A copy of an argument, with the optimizer, callbacks, likelihood, loss and members of an ensemble it names."""
    if name.endswith("_cls") and isinstance(value, str):
        if name != "optimizer_cls":
            raise ValueError(f"{name}={value!r}: of classes as arguments, only optimizer_cls can be named.")
        return OPTIMIZER.allowed(value)
    if name == "loss" and isinstance(value, str):
        value = {"class": value}
    if isinstance(value, Mapping):
        if "class" in value:
            roles = {"likelihood": LIKELIHOOD, "forecasting_models": TEACHER, "loss": LOSS}
            return Spec.model_validate(value).build(roles.get(name, CALLBACK))
        return {key: _built(key, item) for key, item in value.items()}
    if isinstance(value, list):
        return [_built(name, item) for item in value]
    return copy.deepcopy(value)


def _shown(value: Any) -> str:
    return str(Spec.model_validate(value)) if isinstance(value, Mapping) and "class" in value else repr(value)
