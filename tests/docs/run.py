"""Runs the code of a page of the documentation as its reader would: `python -m tests.docs.run [--write] page.md ...`.

All blocks of a page are run in order, in one namespace and one empty folder:

- of Python, and of `console`, whose lines that begin with `$ ` are commands;
- a `text` block right after one is what it prints to the standard output, where `...` on a line stands for any lines,
  and a measured number may differ by one in its last digit: another processor rounds otherwise;
- a block whose first line is `# file: name` is written to that file before anything is run, and not run itself;
- a block with `no-run` after its language is for reading alone.

With `--write` blocks of what is printed are brought up to date.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path
from types import ModuleType

FENCE = re.compile(
    r"^(?P<indent> *)```(?P<info>[^`\n]*)\n(?P<text>.*?)^(?P=indent)```[ \t]*$", re.MULTILINE | re.DOTALL
)
FILE = re.compile(r"\A# file: (\S+)\n")
AFTER = re.compile(r"\s*```\s*```text\n")
"""From the end of what is run to what it prints, with nothing between."""
MEASURED = re.compile(r"(?<![\w.,])[-+−]?\d+\.\d+(?!\w|\.\d)")
"""A number with decimals; none of a version, a name or a list of whole numbers."""
RUN = ("python", "console")
ANY = "..."
COLUMNS = "100"


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        info: what stands after the opening fence.
        text: its lines, without the indentation of the fence.
        line: number of its first line in the page, from 1.
        span: of its text in the page.
        indent: blanks before the fence.
    """

    info: str
    text: str
    line: int
    span: tuple[int, int]
    indent: str

    @property
    def language(self) -> str:
        found = re.search(r"[a-z]+", self.info)
        return found.group() if found else ""

    @property
    def file(self) -> str | None:
        """The file that it is to be written to."""
        found = FILE.match(self.text)
        return found.group(1) if found else None

    @property
    def is_run(self) -> bool:
        return self.language in RUN and "no-run" not in self.info and self.file is None


@dataclass(frozen=True)
class Printed:
    """What a block printed, and the block that shows it."""

    text: str
    shown: Block

    @property
    def as_shown(self) -> bool:
        return matches(self.shown.text, self.text)


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found = []
    for each in FENCE.finditer(page):
        indent = each["indent"]
        text = re.sub(rf"^{indent}", "", each["text"], flags=re.MULTILINE)
        found.append(
            Block(each["info"].strip(), text, page.count("\n", 0, each.start()) + 2, each.span("text"), indent)
        )
    return found


def run(path: Path, folder: Path) -> list[Printed]:
    """Run a page in an empty folder; what its blocks printed, where the page shows it.

    Raises what the page's code raises, and a RuntimeError for a command that fails.
    """
    page = path.read_text(encoding="utf-8")
    found = blocks(page)
    printed = []
    with _in_folder(folder) as module:
        for block in found:
            if block.file is not None:
                (folder / block.file).parent.mkdir(parents=True, exist_ok=True)
                (folder / block.file).write_text(block.text, encoding="utf-8")
        for block, after in zip_longest(found, found[1:]):
            if not block.is_run:
                continue
            text = _run_python(block, path, module) if block.language == "python" else _run_commands(block, path)
            if after is not None and AFTER.fullmatch(page[block.span[1] : after.span[0]]):
                printed.append(Printed(text, after))
    return printed


def matches(shown: str, printed: str) -> bool:
    """Whether a page shows what was printed, but for blanks at ends of lines and last digits of measured numbers."""
    return _lines_match(_lines(shown), _lines(printed))


def rewritten(page: str, printed: list[Printed]) -> str:
    """A page that shows what was printed."""
    for each in reversed(printed):
        if not each.as_shown:
            begin, end = each.shown.span
            indent = each.shown.indent
            text = "".join(f"{indent}{line}".rstrip() + "\n" for line in _lines(each.text))
            page = page[:begin] + text + page[end:]
    return page


def differences(path: Path, printed: list[Printed]) -> str:
    """What a page shows otherwise than it was printed; empty if nothing."""
    return "\n".join(
        f"{path}:{each.shown.line}: shown:\n{each.shown.text}printed:\n{each.text}"
        for each in printed
        if not each.as_shown
    )


def _lines_match(shown: list[str], printed: list[str]) -> bool:
    if not shown:
        return not printed
    if shown[0] == ANY:
        return any(_lines_match(shown[1:], printed[skipped:]) for skipped in range(len(printed) + 1))
    return bool(printed) and _line_matches(shown[0], printed[0]) and _lines_match(shown[1:], printed[1:])


def _line_matches(shown: str, printed: str) -> bool:
    if shown == printed:
        return True
    numbers = MEASURED.findall(shown), MEASURED.findall(printed)
    # a number of another width moves what stands beside it
    texts = [re.sub(" +", " ", MEASURED.sub("#", line)) for line in (shown, printed)]
    return numbers[0] != numbers[1] and texts[0] == texts[1] and all(map(_close, *numbers))


def _close(shown: str, printed: str) -> bool:
    """Whether two numbers are the same but for one in the last digit, if they are of three digits, or have a sign: such
    are errors and their changes, and 0.5 is a setting."""
    if shown == printed:
        return True
    if any(text[0].isdigit() and len(text.removeprefix("0.").replace(".", "")) < 3 for text in (shown, printed)):
        return False
    values = [Decimal(text.replace("−", "-")) for text in (shown, printed)]
    last = max(10 ** Decimal(value.as_tuple().exponent) for value in values)
    return abs(values[0] - values[1]) <= last


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip("\n").split("\n")]


def _run_python(block: Block, path: Path, module: ModuleType) -> str:
    # on the lines that it has in the page, for tracebacks
    code = compile("\n" * (block.line - 1) + block.text, str(path), "exec")
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(code, vars(module))
    return out.getvalue()


def _run_commands(block: Block, path: Path) -> str:
    from tskd.cli import main

    text = block.text.replace("\\\n", "")
    out = io.StringIO()
    for line in re.findall(r"^\$ (.*)$", text, flags=re.MULTILINE):
        words = shlex.split(line, comments=True)
        if words[0] == "tskd":
            with contextlib.redirect_stdout(out):
                try:
                    status = main(words[1:])
                except SystemExit as end:
                    status = int(end.code or 0)
        else:
            done = subprocess.run(line, shell=True, stdout=subprocess.PIPE, text=True)
            out.write(done.stdout)
            status = done.returncode
        if status:
            raise RuntimeError(f"{path}:{block.line}: {line!r} ended with status {status}")
    return out.getvalue()


@contextlib.contextmanager
def _in_folder(folder: Path) -> Iterator[ModuleType]:
    """Be in a folder, from which modules can be imported, as a main module of its own; all is put back afterwards."""
    before, modules, paths, environment = Path.cwd(), dict(sys.modules), list(sys.path), dict(os.environ)
    module = sys.modules["__main__"] = ModuleType("__main__")
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    os.environ.update(COLUMNS=COLUMNS, MPLBACKEND="Agg", NO_COLOR="1")
    try:
        with _one_core():
            yield module
    finally:
        os.chdir(before)
        sys.path[:] = paths
        os.environ.clear()
        os.environ.update(environment)
        for name, found in list(sys.modules.items()):
            if str(getattr(found, "__file__", None)).startswith(str(folder)):
                del sys.modules[name]
        sys.modules["__main__"] = modules["__main__"]


@contextlib.contextmanager
def _one_core() -> Iterator[None]:
    """Commands take one process: to start others takes longer than the fits of a page."""
    if not hasattr(os, "sched_getaffinity"):
        yield
        return
    before = os.sched_getaffinity
    os.sched_getaffinity = lambda _: {0}
    try:
        yield
    finally:
        os.sched_getaffinity = before


def _main(arguments: list[str]) -> int:
    write = "--write" in arguments
    status = 0
    for path in (Path(name).resolve() for name in arguments if name != "--write"):
        begin = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            printed = run(path, Path(folder).resolve())
        print(f"{path}: {time.process_time() - begin:.1f} s", file=sys.stderr)
        if write:
            page = path.read_text(encoding="utf-8")
            path.write_text(rewritten(page, printed), encoding="utf-8")
        elif different := differences(path, printed):
            print(different)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
