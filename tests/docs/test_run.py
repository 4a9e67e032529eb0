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


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("alone  0.683  −0.04 %  [−2.5, +2.4]", "alone  0.684  +0.06 %  [−2.6, +2.4]", False),
        ("alone  0.683  −0.04 %  [−2.5, +2.4]", "alone  0.684  −0.03 %  [−2.6, +2.4]", True),
        ("alone  0.683  −0.00 %  [−2.5, +2.4]", "alone  0.683  +0.01 %  [−2.5, +2.4]", True),
        ("taught  0.683", "taught  0.685", False),
        ("taught  0.683  +1.2", "taught  0.684  +1.4", False),
        # digits that are dropped are those of the coarser number
        ("a  9.99  b", "a  10.0  b", True),
        ("a  −9.96 %  b", "a  −10.0 %  b", True),
        ("a  9.98  b", "a  10.1  b", False),
        ("a  0.999  b", "a  1.00  b", True),
        ("mse 1.000\n...\nmse 2.000", "mse 1.001\nmse 3.000\nmse 2.001", True),
        ("mse 1.000\n...\nmse 2.000", "mse 1.001\nmse 2.001\nmse 2.002", False),
        # settings, counts, dates, versions and words are as they are
        ("balance 0.5", "balance 0.6", False),
        ("levels 0.25", "levels 0.26", False),
        ("penalty=10.0", "penalty=10.1", True),
        ("261 windows", "262 windows", False),
        ("1,635", "1,636", False),
        ("tskd 0.2.00", "tskd 0.2.01", False),
        ("v1.234", "v1.235", False),
        ("alone 0.683", "taught 0.684", False),
        ("0.683 0.684", "0.683", False),
        ("a  b 0.683", "a b 0.683", False),
        ("at 0.683", "at 0.683.", False),
    ],
)
def test_a_measured_number_may_differ_in_its_last_digit(shown: str, printed: str, same: bool) -> None:
    assert matches(shown, printed) == same


def test_a_real_difference_is_noticed_and_last_digits_are_left_as_they_are(tmp_path: Path) -> None:
    text = "~~~python\nprint('mse', 0.6832)\n~~~\n~~~text\nmse 0.6833\n~~~\n"
    path, printed = printed_by(tmp_path, text)
    assert not differences(path, printed) and rewritten(path.read_text(), printed) == path.read_text()
    (tmp_path / "other").mkdir()
    path, printed = printed_by(tmp_path / "other", text.replace("0.6833", "0.6835"))
    assert "0.6832" in differences(path, printed) and "0.6832\n```\n" in rewritten(path.read_text(), printed)


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
