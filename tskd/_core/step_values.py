"""Values of many steps, none of which leaves a tensor of its own."""

from __future__ import annotations

import torch
from torch import Tensor

# values for which there is room at first
ROOM = 1024


class StepValues:
    """Values of the steps of an epoch, one after the other in one tensor on their device.

    Small tensors that outlive their steps, each alone, would come to lie where the large ones of a step were. The
    allocator could then neither use that memory for the next step nor give it back.
    """

    def __init__(self) -> None:
        self._room = torch.empty(0)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, values: Tensor) -> None:
        """Add the values of a step: a scalar, or `[…, n]` with the same first axes in all steps."""
        values = values.detach()
        count = values.shape[-1] if values.dim() else 1
        end = self._count + count
        if end > self._room.shape[-1] or not self._holds(values.dtype):
            self._room = self._larger(values, end)
        self._room.narrow(-1, self._count, count).copy_(values)
        self._count = end

    def all(self) -> Tensor:
        """The values of all steps `[…, N]`, which those added after `clear` replace."""
        return self._room[..., : self._count]

    def clear(self) -> None:
        """Forget the values, and keep the room for as many."""
        self._count = 0

    def _holds(self, dtype: torch.dtype) -> bool:
        own = self._room.dtype
        return dtype == own or torch.promote_types(own, dtype) == own

    def _larger(self, values: Tensor, end: int) -> Tensor:
        """A tensor with the values so far and room for twice as many as there are, in the wider of the two types."""
        if not self._count:
            return values.new_empty(*values.shape[:-1], max(ROOM, end))
        kept = self.all()
        room = kept.new_empty(*kept.shape[:-1], 2 * end, dtype=torch.promote_types(kept.dtype, values.dtype))
        room[..., : self._count] = kept
        return room


class StepScalars:
    """Scalars of the steps of an epoch: numbers where they are in memory; those on a device stay there, so that no step
    waits for them.
    """

    def __init__(self) -> None:
        self._numbers: list[float] = []
        self._dtype: torch.dtype | None = None
        self._elsewhere = StepValues()

    def __len__(self) -> int:
        return len(self._numbers) + len(self._elsewhere)

    def add(self, value: Tensor) -> None:
        """Add the scalar of a step."""
        value = value.detach()
        if value.device.type != "cpu":
            self._elsewhere.add(value)
            return
        if value.dtype is not self._dtype:
            self._dtype = value.dtype if self._dtype is None else torch.promote_types(self._dtype, value.dtype)
        self._numbers.append(value.item())

    def all(self) -> Tensor:
        """The scalars of all steps `[N]`, in the widest of their types."""
        return torch.tensor(self._numbers, dtype=self._dtype) if self._numbers else self._elsewhere.all()
