"""The page of commands: every command with all its arguments, and none that there is not."""

from __future__ import annotations

import argparse
import re

import pytest

from tests.helpers.reference import PAGES
from tskd.cli.parser import parser

TEXT = (PAGES / "commands.md").read_text(encoding="utf-8")
MADE = parser()
COMMANDS: dict[str, argparse.ArgumentParser] = next(
    dict(action.choices) for action in MADE._actions if isinstance(action, argparse._SubParsersAction)
)


def told(command: str) -> str:
    """What the page says of a command."""
    found = re.search(rf"^## tskd {command}\n(.*?)(?=^## )", TEXT, flags=re.DOTALL | re.MULTILINE)
    assert found, f"the page has no part on tskd {command}"
    return found[1]


def test_every_command_has_its_part_and_its_line() -> None:
    assert re.findall(r"^## tskd (\S+)$", TEXT, flags=re.MULTILINE) == list(COMMANDS)
    lines = dict(re.findall(r"^\| \[`(\S+)`\]\(#tskd-\S+\) \| (.+) \|$", TEXT, flags=re.MULTILINE))
    helps = {
        action.dest: action.help
        for group in MADE._actions
        if isinstance(group, argparse._SubParsersAction)
        for action in group._choices_actions
    }
    assert lines == helps


@pytest.mark.parametrize("name", COMMANDS)
def test_every_argument_is_told_as_it_is(name: str) -> None:
    part = told(name)
    rows = {
        cell for row in re.findall(r"^\| (`.+?`) \|", part, flags=re.MULTILINE) for cell in re.findall("`(.+?)`", row)
    }
    assert rows == {shown(action) for action in COMMANDS[name]._actions if action.dest != "help"}


def shown(action: argparse.Action) -> str:
    """An argument as `--help` shows it."""
    if not action.option_strings:
        return str(action.metavar)
    (option,) = action.option_strings
    value = f"{{{','.join(action.choices)}}}" if action.choices else action.metavar
    return option if action.nargs == 0 else f"{option} {value}"


def test_options_of_run_are_told_in_the_words_of_its_help() -> None:
    part = told("run")
    for action in COMMANDS["run"]._actions:
        words = (action.help or "").split(" (default")[0].split(";")[0].split(", and")[0]
        if action.dest not in ("help", "config", "engine", "seeds"):
            assert words.replace("mypkg.models", "`mypkg.models`").split(",")[0] in part, action.dest
