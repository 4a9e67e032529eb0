"""Objects of a configuration: a class, by its public name or a user's own, with its arguments; or what makes an object
from a seed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tskd._core.checks import MOST
from tskd._core.object_spec import dotted
from tskd._core.own_code import is_own
from tskd._core.quiet_logs import quiet
from tskd.experiment.config.errors import explain, nearest
from tskd.experiment.config.merge import deep_merge
from tskd.experiment.config.model_arguments import check_arguments
from tskd.experiment.config.own_classes import initialiser
from tskd.experiment.config.roles import (
    CALLBACK,
    LIKELIHOOD,
    LOSS,
    LOSS_FUNCTION,
    MODEL,
    OPTIMIZER,
    SCHEDULER,
    TEACHER,
    Role,
)

TRAINER = {
    "accelerator": "cpu",
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "enable_checkpointing": False,
    "logger": False,
}
"""Trainer arguments of a fit in an experiment; those that a configuration gives come before these."""


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
    """`class:` and `kwargs:` of one object; specs nested in `kwargs` (callbacks) are built with it.

    Attributes:
        class_: a public name; a class of the user's own; or a function that makes an object from a seed, of which
            `kwargs` are then the arguments that are to be others than in what it makes.
        kwargs: its arguments.
    """

    class_: str | Callable[..., Any] = Field(alias="class")
    kwargs: dict[str, Any] = Field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of the class or function; with its module if it is the user's own."""
        return self.class_ if isinstance(self.class_, str) else dotted(self.class_)

    def made(self, role: Role) -> type:
        """The class. Raises ValueError for one that is not allowed."""
        if isinstance(self.class_, str):
            return role.allowed(self.class_)
        return role.checked(self.class_, self.name) if isinstance(self.class_, type) else type(self.build(role))

    def seeded(self, role: Role, seed: int) -> Spec:
        """The class and all arguments of the darts model that is made from a seed."""
        if isinstance(self.class_, str | type):
            return self
        model = _made_from(self, role, seed)
        return Spec.model_validate({"class": type(model), "kwargs": deep_merge(dict(model.model_params), self.kwargs)})

    def build(self, role: Role, seed: int = 0) -> Any:
        """A fresh object. Raises ValueError for a class that is not allowed or arguments that it rejects.

        Args:
            role: of the object.
            seed: for what makes an object from a seed.
        """
        models = role in (MODEL, TEACHER)
        if not isinstance(self.class_, str | type):
            return self.seeded(role, seed).build(role) if models else _made_from(self, role, seed)
        return self.build_checked(role, check_arguments if models else None)

    def build_checked(self, role: Role, check: Callable[[Mapping[str, Any]], None] | None = None) -> Any:
        """A fresh object, of arguments that are checked first; without `check`, of those that were."""
        made = self.made(role)
        try:
            if check is not None:
                check(self.kwargs)
            return made(**{name: _built(name, value) for name, value in self.kwargs.items()})
        except Exception as error:
            # whatever a class of another package makes of arguments that it cannot use
            reason = str(error) or f"its arguments are refused ({type(error).__name__})."
            raise ValueError(f"{self.name}: {reason}{_misspelt(made, self.kwargs)}") from error

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{name}={_shown(value)}' for name, value in self.kwargs.items())})"


def parse_object(value: Any, role: Role) -> Any:
    """What a configuration gives for `role`, checked: a `Spec`, or a user's own object as it is.

    A class, by its name or itself, a function of a seed and a mapping become a `Spec`, and so does a darts model, since
    every seed needs a fresh one.
    """
    if isinstance(value, str) or (callable(value) and not role.holds(value)):
        value = {"class": value}
    if isinstance(value, Mapping):
        try:
            value = Spec.model_validate(value)
        except ValidationError as error:
            raise ValueError(" ".join(explain(error))) from error
    elif role in (MODEL, TEACHER) and role.holds(value):
        made = type(value)
        value = Spec.model_validate(
            {"class": made if is_own(made) else made.__name__, "kwargs": dict(value.model_params)}
        )
    if isinstance(value, Spec):
        with quiet():
            value.build(role)
            if role in (MODEL, TEACHER) and not isinstance(value.class_, str):
                _check_can_be_seeded(value, role)
    elif not role.holds(value):
        raise ValueError(
            f"{value!r} is not a {role.label}: give a class name, or `class:` and `kwargs:`; in Python also an object, "
            "a class, or a function that makes one from a seed."
        )
    return value


def build_object(value: Any, role: Role, seed: int = 0) -> Any:
    """A fresh object for one fit, whose seed is given, from what `parse_object` returned."""
    return value.build(role, seed) if isinstance(value, Spec) else copy.deepcopy(value)


def seeded_model(spec: Spec, seed: int, role: Role = MODEL) -> Any:
    """A fresh darts model for one fit, or an ensemble of such, whose random state is the seed."""
    from darts.models.forecasting.torch_forecasting_model import TorchForecastingModel

    spec = spec.seeded(role, seed)
    members = spec.kwargs.get("forecasting_models")
    if members is not None:
        # an ensemble has no random state of its own
        seeded = [seeded_model(Spec.model_validate(member), seed, role) for member in members]
        return spec.model_copy(update={"kwargs": {**spec.kwargs, "forecasting_models": seeded}}).build_checked(role)
    kwargs = {**spec.kwargs, "random_state": seed}
    if issubclass(spec.made(role), TorchForecastingModel):
        kwargs["pl_trainer_kwargs"] = {**TRAINER, **(spec.kwargs.get("pl_trainer_kwargs") or {})}
    return spec.model_copy(update={"kwargs": kwargs}).build_checked(role)


def _misspelt(made: type, kwargs: Iterable[str]) -> str:
    """The nearest argument of the class or its bases to the first one in `kwargs` that none of them takes."""
    bases = list(made.__mro__)
    if MODEL.base.endswith(tuple(f".{base.__name__}" for base in bases)):
        from darts.models.forecasting.pl_forecasting_module import PLForecastingModule

        bases.append(PLForecastingModule)  # darts' models hand optimizer, loss and likelihood on to their module
    known = [name for base in bases for name in initialiser(base).parameters if name != "self"]
    return next((f" {nearest(name, known)}" for name in kwargs if name not in known), "")


def _made_from(spec: Spec, role: Role, seed: int) -> Any:
    """What a function makes from a seed. Raises ValueError if that is no object of the role."""
    made: Any = spec.class_
    try:
        found = made(seed)
    except Exception as error:
        raise ValueError(f"{spec.name}({seed}): {error or type(error).__name__}") from error
    if not role.holds(found):
        raise ValueError(f"{spec.name}({seed}) makes {found!r}, which is not a {role.label}.")
    return found


def _check_can_be_seeded(spec: Spec, role: Role) -> None:
    """Raise a ValueError for a class of the user's own of which not every seed has a fresh model that darts can use."""
    from tskd._core.darts.capabilities import horizon_of, lookback_of

    try:
        model = seeded_model(spec, 0, role)
        lookback_of(model), horizon_of(model)
    except (ValueError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{spec.name}: {error}: every seed has a fresh model, made with random_state and, of a torch model, "
            "pl_trainer_kwargs, and darts reads its settings from the arguments of this call: keep darts' "
            "input_chunk_length, output_chunk_length and output_chunk_shift in its __init__, and hand **kwargs on."
        ) from error


def _built(name: str, value: Any) -> Any:
    """A copy of an argument, with the optimizer, scheduler, loss, callbacks, likelihood and members of an ensemble that
    it names."""
    if name in CLASSES and isinstance(value, str | type):
        return CLASSES[name].allowed(value) if isinstance(value, str) else CLASSES[name].checked(value, dotted(value))
    if name.endswith("_cls") and isinstance(value, str):
        raise ValueError(f"{name}={value!r}: of classes as arguments, only {' and '.join(CLASSES)} can be named.")
    if name in NAMED and isinstance(value, str | type):
        value = {"class": value}
    if isinstance(value, Mapping):
        if "class" in value:
            return Spec.model_validate(value).build(ROLES.get(name, CALLBACK))
        return {key: _built(key, item) for key, item in value.items()}
    if isinstance(value, list):
        return [_built(name, item) for item in value]
    return copy.deepcopy(value)


CLASSES = {"optimizer_cls": OPTIMIZER, "lr_scheduler_cls": SCHEDULER}
"""Arguments that are classes."""
ROLES = {"likelihood": LIKELIHOOD, "forecasting_models": TEACHER, "loss": LOSS, "loss_fn": LOSS_FUNCTION}
"""Arguments that are objects; those not listed are callbacks."""
NAMED = ("loss", "loss_fn")
"""Those of them that a name alone gives."""


def _shown(value: Any) -> str:
    return str(Spec.model_validate(value)) if isinstance(value, Mapping) and "class" in value else repr(value)
