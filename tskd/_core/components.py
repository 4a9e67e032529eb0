"""Component names of series: how many there must be, and where the same names in another order would mix columns.

Series are read by the positions of their components, as darts does, so their names may differ from series to series.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from darts import TimeSeries

# component names of some series, each set of them once
Orders: TypeAlias = list[list[str]]


def names_of(series: TimeSeries) -> list[str]:
    return [str(component) for component in series.components]


def orders_of(series: Sequence[TimeSeries]) -> Orders:
    """The orders of component names in some series: that of the first, and those of all others of several names."""
    orders: dict[tuple[str, ...], list[str]] = {}
    for one in series:
        names = names_of(one)
        if not orders or len(names) > 1:
            orders.setdefault(tuple(sorted(names)), names)
    return list(orders.values())


def orders_by_slot(**series: Sequence[TimeSeries] | None) -> dict[str, Orders]:
    """Orders of component names by argument; arguments that are None are left out."""
    return {what: orders_of(items) for what, items in series.items() if items is not None}


def restored_orders(saved: Mapping[str, Any]) -> dict[str, Orders]:
    """Orders by slot as they were saved; earlier versions saved the names of the first series alone.

    Raises:
        ValueError: they are not names by slot.
    """
    orders = {
        slot: [known] if isinstance(known, list) and known and isinstance(known[0], str) else known
        for slot, known in (saved.items() if isinstance(saved, Mapping) else [("", None)])
    }
    for known in orders.values():
        if not isinstance(known, list) or not known or not all(isinstance(names, list) and names for names in known):
            raise ValueError(f"components are {saved!r}, not names by slot")
    return orders


def check_names(names: Sequence[str], known: Orders, where: str, whose: str = "the model was fitted with") -> None:
    """Raise a ValueError for another number of components than known, or for known ones in another order.

    Args:
        names: of one series.
        known: orders that there are.
        where: the series, for messages.
        whose: what has the known ones, for messages.
    """
    if len(names) != len(known[0]):
        raise ValueError(f"{where} has components {list(names)}, but {whose} {known[0]}; give as many components")
    for order in known:
        if sorted(order) == sorted(names) and order != list(names):
            raise ValueError(
                f"{where} has components {list(names)}, but {whose} {order}: in another order, columns would be mixed; "
                "give the components in the same order"
            )


def check_components(
    series: Sequence[TimeSeries] | None, known: Orders | None, what: str, whose: str = "the model was fitted with"
) -> None:
    """`check_names` for each of some series; nothing if there are none, or none is known."""
    if not known:
        return
    for index, one in enumerate(series or []):
        check_names(names_of(one), known, what if len(series or []) == 1 else f"{what}[{index}]", whose)
