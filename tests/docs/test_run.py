"""The runner of the documentation's code notices what a page shows wrongly, and runs it as a reader would."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.docs.run import Printed, blocks, differences, matches, rewritten, run
from tskd._version import __version__


def page_of(folder: Path, text: str) -> Path:
    (folder / "work").mkdir()
    path = folder / "page.md"
    # so that fences can be written here
    path.write_text(text.replace("~~~", "```"), encoding="utf-8")
    return path


def printed_by(folder: Path, text: str) -> tuple[Path, list[Printed]]:
    path = page_of(folder, text)
    return path, run(path, folder / "work")


def test_blocks_share_a_namespace_and_a_folder(tmp_path: Path) -> None:
    text = """\
~~~python
import pathlib
a = 2
pathlib.Path("made.txt").write_text("seven")
~~~

words

~~~console
$ cat made.txt
$ echo ' and' eight
~~~

~~~text
seven and eight
~~~

~~~python
print(a + 1)
~~~
~~~text
4
~~~
"""
    path, printed = printed_by(tmp_path, text)
    assert [each.text for each in printed] == ["seven and eight\n", "3\n"]
    assert f"{path}:22: shown:\n4\nprinted:\n3\n" == differences(path, printed)


def test_only_the_block_right_after_shows_what_is_printed(tmp_path: Path) -> None:
    text = "~~~python\nprint(1)\n~~~\nwords\n~~~text\n2\n~~~\n~~~python\nprint(3)\n~~~\n\n~~~text\n3\n~~~\n"
    path, printed = printed_by(tmp_path, text)
    assert [each.text for each in printed] == ["3\n"] and not differences(path, printed)


def test_files_are_written_first_and_can_be_imported(tmp_path: Path) -> None:
    text = """\
~~~python
import parts_of_the_page
print(parts_of_the_page.size, open("sub/some.yaml").read())
~~~
~~~text
5 # file: sub/some.yaml
a: 1
~~~

~~~python
# file: parts_of_the_page.py
size = 5
~~~

~~~yaml
# file: sub/some.yaml
a: 1
~~~
"""
    path, printed = printed_by(tmp_path, text)
    assert len(printed) == 1 and not differences(path, printed)
    assert "parts_of_the_page" not in sys.modules


@pytest.mark.parametrize("info", ["python no-run", "console no-run", "{ .python .no-run }", "yaml", "text", ""])
def test_some_blocks_are_for_reading(tmp_path: Path, info: str) -> None:
    _, printed = printed_by(tmp_path, f"~~~{info}\n$ exit 3\nraise SystemExit\n~~~\n")
    assert not printed


def test_what_fails_fails(tmp_path: Path) -> None:
    path = page_of(tmp_path, "words\n\n~~~console\n$ exit 3\n~~~\n")
    with pytest.raises(RuntimeError, match=r"page\.md:4: 'exit 3' ended with status 3"):
        run(path, tmp_path / "work")
    path.write_text("```python\n\n1 / 0\n```\n")
    with pytest.raises(ZeroDivisionError) as raised:
        run(path, tmp_path / "work")
    assert raised.traceback[-1].lineno == 2


def test_commands_of_tskd_are_run_by_this_copy(tmp_path: Path) -> None:
    commands = "$ tskd --version\n$ tskd datasets \\\n    co2    # one of them\n"
    text = f"~~~console\n{commands}~~~\n~~~text\ntskd {__version__}\n...\n~~~\n"
    _, printed = printed_by(tmp_path, text)
    assert "Mauna Loa" in printed[0].text
    assert printed[0].as_shown


def test_everything_is_put_back(tmp_path: Path) -> None:
    before = Path.cwd(), list(sys.path), dict(os.environ), sys.modules["__main__"], os.sched_getaffinity
    code = "import os, sys\nos.environ['A_NEW'] = '1'\nsys.path.append('x')\nos.mkdir('y')\nos.chdir('y')\n"
    printed_by(tmp_path, f"~~~python\n{code}~~~\n")
    assert (Path.cwd(), list(sys.path), dict(os.environ), sys.modules["__main__"], os.sched_getaffinity) == before


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a\nb\n", "a \nb", True),
        ("a\nb\n", "a\n\nb\n", False),
        ("a\n...\nd\n", "a\nb\nc\nd\n", True),
        ("a\n...\n", "a\n", True),
        ("a\n...\nd\n", "a\nb\nc\n", False),
        ("a ...\n", "a bc\n", False),
        ("1.5\n", "1x5\n", False),
        ("", "\n", True),
    ],
)
def test_what_counts_as_shown(shown: str, printed: str, same: bool) -> None:
    assert matches(shown, printed) == same


def test_writing_keeps_what_is_right_and_the_indentation(tmp_path: Path) -> None:
    text = """\
~~~python
print("a")
print("b")
~~~
~~~text
a
...
~~~

- in a list

    ~~~python
    print("new")
    print()
    print("lines")
    ~~~

    ~~~text
    old
    ~~~

after
"""
    path, printed = printed_by(tmp_path, text)
    page = path.read_text()
    expected = page.replace("    old\n", "    new\n\n    lines\n")
    assert rewritten(page, printed) == expected
    assert [block.line for block in blocks(expected)] == [2, 6, 13, 19]
