"""Calls with one wrong argument or two, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.bad_calls import odd
from tests.bad_calls.files import FILES, FileCall
from tests.bad_calls.targets import CONSTRUCTORS, Target
from tests.bad_calls.uses import FITS, PREDICTIONS, ROLLING, SECOND_FITS, STUDENTS, TEACHERS

OFTEN = (
    (CONSTRUCTORS, 36),
    (STUDENTS, 4),
    (FITS, 14),
    (SECOND_FITS, 7),
    (PREDICTIONS, 10),
    (ROLLING, 8),
    (TEACHERS, 9),
)
"""Lists of targets, and how many of a hundred calls are of one of each; the others are of files."""


@dataclass(frozen=True)
class Call:
    """A call that is probably wrong.

    Attributes:
        kind: of call, for counting.
        text: of the call.
        wrong: names of the arguments that are odd.
        subject: text of `model`, which the text of the call uses; empty if it does not.
        arguments: names of all that it is given.
    """

    kind: str
    text: str
    wrong: tuple[str, ...] = ()
    subject: str = ""
    arguments: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"model = {self.subject}; {self.text}" if self.subject else self.text


def calls(count: int, seed: int = 0) -> Iterator[Call]:
    """That many calls."""
    chance = random.Random(seed)
    for _ in range(count):
        place = chance.randrange(100)
        for targets, share in OFTEN:
            if place < share:
                yield _call(chance.choice(targets), chance)
                break
            place -= share
        else:
            yield _file_call(chance)


def _call(target: Target, chance: random.Random) -> Call:
    arguments = target.arguments
    wrong = chance.sample(arguments, min(chance.choice([1, 1, 1, 2]), len(arguments)))
    given = {**target.given, **{name: _odd(target, name, chance) for name in wrong}}
    made = ", ".join(f"{name}={text}" for name, text in given.items())
    if "**odd" in target.subject:
        return Call(target.kind, target.callee, (), target.subject.replace("**odd", made))
    text = target.callee.replace("**odd", made) if "**odd" in target.callee else f"{target.callee}({made})"
    return Call(target.kind, text, tuple(wrong), target.subject, tuple(given))


def _odd(target: Target, name: str, chance: random.Random) -> str:
    pool = target.pools.get(name, odd.ANYTHING)
    return chance.choice(pool if chance.random() < 0.75 else odd.SHORT)


def _file_call(chance: random.Random) -> Call:
    made: Callable[[random.Random], FileCall] = chance.choice(FILES)
    kind, text, wrong = made(chance)
    return Call(kind, text, wrong)
