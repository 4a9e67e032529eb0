"""The documentation is built without a warning, with figures of what the benchmarks found."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def figures() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "figures_of_the_documentation", ROOT / "docs" / "hooks" / "figures.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_figures_show_what_the_tables_of_the_benchmarks_say(figures: ModuleType) -> None:
    """Some numbers of benchmarks/README.md."""
    few = {(line.group.split(":")[0], line.label): line for line in figures.few_labels()}
    gases, beijing = few["Gases in a city's air", "daily at hour 1"], few["PM2.5 in Beijing", "30 days"]
    assert (gases.alone.value, gases.alone.low, gases.alone.high) == pytest.approx((0.575, 0.427, 0.775), abs=6e-4)
    assert (beijing.alone.value, beijing.alone.low, beijing.alone.high) == pytest.approx(
        (0.874, 0.754, 1.012), abs=6e-4
    )
    every = {line.label: line for line in figures.all_labels()}
    assert list(every) == [
        "Beijing, 250 windows",
        "Beijing, 2000 windows",
        "Shanghai, 250 windows",
        "Shanghai, 2000 windows",
    ]
    assert every["Shanghai, 250 windows"].alone == figures.Ratio(0.987, 0.942, 1.031)
    assert every["Shanghai, 250 windows"].control == figures.Ratio(1.071, 1.017, 1.124)
    noisy = figures.noisy_labels()
    assert [list(ratios) for ratios in noisy.values()] == [[120, 250, 500, 1000]] * 3
    smoothed = noisy["labels averaged over time"][250]
    assert (smoothed.value, smoothed.low, smoothed.high) == pytest.approx((0.948, 0.924, 0.972), abs=6e-4)


def test_figures_are_the_same_whenever_they_are_drawn(figures: ModuleType) -> None:
    for draw in (figures.when_it_helps, figures.noise):
        assert draw() == draw()


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Material for MkDocs" in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert (tmp_path / "figures" / "noise.svg").exists()
