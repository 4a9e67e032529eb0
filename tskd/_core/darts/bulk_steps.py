"""Training steps in bulk: those of an epoch around which nothing of Lightning's was asked for.

Lightning does much around every step for callbacks, loggers and bars that most fits do not have. Here its epoch loop
takes steps at which nobody looks one after the other, with the same calls of network, optimizer and random numbers, and
its own way for the others: the last of an epoch, which validates, logs and saves, and those that a logger, a progress
bar or a checkpoint asks for. Where something asks for every step, all go Lightning's own way.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, ModelCheckpoint, ProgressBar, TQDMProgressBar
from pytorch_lightning.plugins.precision import DoublePrecision, MixedPrecision, Precision
from pytorch_lightning.profilers import PassThroughProfiler
from pytorch_lightning.strategies import SingleDeviceStrategy
from pytorch_lightning.utilities.enums import GradClipAlgorithmType
from torch import Tensor

from tskd._core.darts.bare_calls import batches, forgets_its_own_way, forgetting

logger = logging.getLogger(__name__)

# hooks of callbacks, the module and the data module that Lightning calls around every step
HOOKS = (
    "on_train_batch_start",
    "on_train_batch_end",
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
)
MODULE_HOOKS = (
    *HOOKS,
    "backward",
    "optimizer_zero_grad",
    "configure_gradient_clipping",
    "clip_gradients",
    "lr_scheduler_step",
    "optimizer_step",
    "on_before_batch_transfer",
    "transfer_batch_to_device",
    "on_after_batch_transfer",
)
# hooks that a bar needs in some steps only
IN_SOME_STEPS = {
    getattr(kind, hook)
    for kind in (ProgressBar, TQDMProgressBar)
    for hook in ("on_train_batch_start", "on_train_batch_end")
}
# seconds after which a progress bar is refreshed
REFRESH = 0.1
PRECISIONS = (Precision, DoublePrecision, MixedPrecision)


@dataclass(frozen=True)
class BulkStep:
    """A training step as a module takes it in bulk.

    Attributes:
        loss: of a batch and its number, as its `training_step`, without its logs.
        after: what its own `optimizer_step` does after the step of the optimizer.
    """

    loss: Callable[[Any, int], Tensor]
    after: Callable[[], None] | None = None


@contextmanager
def bulk_steps(trainer: Any, step: BulkStep) -> Iterator[None]:
    """Let the epochs of a trainer take steps in bulk where they may; it is as it was after the block."""
    loop = trainer.fit_loop.epoch_loop
    loop.advance = _Bulk(loop, loop.advance, step).advance
    try:
        yield
    finally:
        del loop.advance


def why_not(trainer: Any, hooks: Sequence[str] = MODULE_HOOKS) -> str | None:
    """What asks for Lightning's own way in every step; None if nothing does.

    Args:
        hooks: of the module, that must be Lightning's.
    """
    module, data, precision = trainer.lightning_module, trainer.datamodule, trainer.precision_plugin
    asked = [(one, hook) for one in trainer.callbacks for hook in HOOKS if _asks(one, hook)]
    asked += [(module, hook) for hook in hooks if _overrides(module, hook, pl.LightningModule)]
    asked += [(data, hook) for hook in hooks if _overrides(data, hook, pl.LightningDataModule)]
    if asked:
        part, hook = asked[0]
        return f"{type(part).__name__}.{hook}"
    reasons = {
        f"the strategy {type(trainer.strategy).__name__}": type(trainer.strategy) is not SingleDeviceStrategy,
        f"the precision {precision.precision}": type(precision) not in PRECISIONS or _scales(precision),
        "accumulated gradients": trainer.accumulate_grad_batches != 1,
        "skipped gradients": trainer.fit_loop._skip_backward,
        f"the profiler {type(trainer.profiler).__name__}": not isinstance(trainer.profiler, PassThroughProfiler),
        "several optimizers": len(trainer.optimizers) != 1,
        "a learning rate by step": any(config.interval != "epoch" for config in trainer.lr_scheduler_configs),
        "data of unknown length": trainer.num_training_batches == float("inf"),
        "validation within an epoch": _validates_within(trainer),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def _asks(callback: Callback, hook: str) -> bool:
    """Whether a callback needs a hook in every step."""
    own = _function(callback, hook)
    if own is ModelCheckpoint.on_train_batch_end and isinstance(callback, ModelCheckpoint):
        return callback._train_time_interval is not None
    return own is not getattr(Callback, hook) and own not in IN_SOME_STEPS


def _overrides(part: Any, hook: str, base: type) -> bool:
    return part is not None and hasattr(base, hook) and _function(part, hook) is not getattr(base, hook)


def _function(part: Any, hook: str) -> Any:
    method = getattr(part, hook)
    return getattr(method, "__func__", method)


def _scales(precision: Any) -> bool:
    return getattr(precision, "scaler", None) is not None


def _validates_within(trainer: Any) -> bool:
    if not trainer.enable_validation:
        return False
    within = trainer.val_check_batch is None or trainer.val_check_batch < trainer.num_training_batches
    return within or trainer.check_val_every_n_epoch is None


class _Bulk:
    """Takes the place of an epoch loop's `advance`.

    Args:
        loop: Lightning's loop over the batches of an epoch.
        advance: its own, for one batch.
        step: of the module.
    """

    def __init__(self, loop: Any, advance: Callable[[Any], None], step: BulkStep) -> None:
        self._loop, self._advance, self._step = loop, advance, step
        # what a module does in its own step of the optimizer is done by `after`
        self._hooks = [hook for hook in MODULE_HOOKS if step.after is None or hook != "optimizer_step"]
        self._said: set[str] = set()

    def advance(self, fetcher: Any) -> None:
        """As many steps as nobody looks at, and one of Lightning's own."""
        loop = self._loop
        if not loop.restarting:
            reason = why_not(loop.trainer, self._hooks)
            self._say("in bulk" if reason is None else f"by Lightning one at a time, for {reason}")
            count = self._unseen() if reason is None else 0
            if count > 0:
                self._take(fetcher, count)
        self._advance(fetcher)

    def _say(self, how: str) -> None:
        if how not in self._said:
            self._said.add(how)
            logger.info("training steps are taken %s", how)

    def _unseen(self) -> int:
        """Number of next steps at which nobody looks."""
        loop, trainer = self._loop, self._loop.trainer
        # the one after them is Lightning's: it may be the last
        unseen = [trainer.num_training_batches - loop.batch_progress.current.ready - 1]
        if loop.max_steps != -1:
            unseen.append(loop.max_steps - loop.global_step - 1)
        if trainer.loggers:
            unseen.append(_until(loop._batches_that_stepped, trainer.log_every_n_steps))
        for callback in trainer.callbacks:
            if isinstance(callback, ModelCheckpoint) and callback._every_n_train_steps > 0:
                unseen.append(_until(loop.global_step, callback._every_n_train_steps))
        return min(unseen)

    def _take(self, fetcher: Any, count: int) -> None:
        """At most `count` steps; the counters of Lightning tell how many, also if one raises."""
        loop = self._loop
        trainer, taken, first = loop.trainer, 0, loop.batch_idx + 1
        bar = trainer.progress_bar_callback
        until = time.monotonic() + REFRESH if bar is not None and bar.is_enabled else float("inf")
        one, batch = self._one_step(), batches(fetcher)
        trainer.lightning_module._current_fx_name = "training_step"
        try:
            for number in range(first, first + count):
                one(batch(), number)
                taken += 1
                if trainer.should_stop or trainer.received_sigterm or time.monotonic() > until:
                    break
        finally:
            trainer.lightning_module._current_fx_name = None
            self._count(taken)

    def _one_step(self) -> Callable[[Any, int], None]:
        """What Lightning does with a batch: forward, gradients, clipping, and a step of the optimizer."""
        trainer, step = self._loop.trainer, self._step
        strategy, precision, optimizer = trainer.strategy, trainer.precision_plugin, trainer.optimizers[0]
        moved, plain = strategy.root_device.type != "cpu", type(precision) is Precision
        forget = forgetting(optimizer)
        early = None if forgets_its_own_way(optimizer) else forget
        clip, how = trainer.gradient_clip_val, GradClipAlgorithmType(trainer.gradient_clip_algorithm or "norm")

        def context() -> AbstractContextManager[Any]:
            return nullcontext() if plain else precision.train_step_context()

        def one(batch: Any, number: int) -> None:
            batch = precision.convert_input(batch)
            if moved:
                batch = strategy.batch_to_device(batch)

            def closure() -> Tensor:
                with context():
                    loss = step.loss(batch, number)
                forget()
                loss.backward()
                if clip is not None:
                    precision.clip_gradients(optimizer, clip, how)
                return loss

            optimizer.step(closure)
            if step.after is not None:
                step.after()
            if early is not None:
                # done with: the next batch and its activations need the memory
                early()

        if early is not None:
            early()
        return one

    def _count(self, taken: int) -> None:
        """Advance Lightning's counters by some steps."""
        loop = self._loop
        loop.batch_progress.increment_by(taken)
        steps = loop.automatic_optimization.optim_progress.optimizer
        steps.step.increment_by(taken)
        steps.zero_grad.increment_by(taken)
        loop._batches_that_stepped += taken
        connector = loop.trainer._logger_connector
        if taken:
            connector._first_loop_iter = connector._first_loop_iter is None and taken == 1


def _until(done: int, every: int) -> int:
    """Number of steps before the next one after which `every` divides their number."""
    return every - 1 - done % every if every > 0 else 2**62
