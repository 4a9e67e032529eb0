"""Where files of data are looked for, what is downloaded, what is refused, and what the listing says of it."""

from __future__ import annotations

import gzip
import hashlib
import io
import shutil
import subprocess
import sys
import threading
import time
import zipfile
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import darts.datasets
import numpy as np
import pandas as pd
import pytest
import requests
from darts.datasets.dataset_loaders import DatasetLoader

from tskd.datasets import build as making
from tskd.datasets import fetching, load
from tskd.datasets.availability import listing
from tskd.datasets.beijing import BEIJING
from tskd.datasets.catalogue import CATALOGUE
from tskd.datasets.files import File, table_checksum
from tskd.datasets.household import HOURLY, HOUSEHOLD

TEXT = b"a,b\n1,2\n" * 1000
TABLE = {"a": [1], "b": [2]}
FILES = sorted({file for entry in CATALOGUE.values() for file in entry.files}, key=lambda file: file.name)


def zipped(**members: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name.replace("_", "/") + ".csv", text)
    return content.getvalue()


class Source(BaseHTTPRequestHandler):
    """A source with good files and bad ones; it counts how often it is asked."""

    asked: list[str]
    bodies: ClassVar = {
        "/some.csv": TEXT,
        "/damaged.csv": TEXT[:-2] + b"3\n",
        "/cut.csv": TEXT[:100],
        "/some.zip": zipped(folder_some=TEXT, folder_other=b"x"),
        "/other.zip": zipped(other=b"x"),
        "/text.zip": TEXT,
        "/broken.zip": zipped(some=TEXT).replace(zlib.compress(TEXT)[2:12], b"\xff" * 10),
    }

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == "/silent.csv":
            time.sleep(1)
            return
        if self.path not in self.bodies:
            self.send_error(404)
            return
        body = self.bodies[self.path]
        self.send_response(200)
        self.send_header("Content-Length", str(len(TEXT) if self.path == "/cut.csv" else len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    Source.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Source)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without any data, whose darts keeps its own in the same place as ever."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("TSKD_DATA", raising=False)
    monkeypatch.setattr(DatasetLoader, "_DEFAULT_DIRECTORY", folder / ".darts" / "datasets")
    return folder


@pytest.fixture
def folder(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that this user names in TSKD_DATA; empty."""
    named = tmp_path / "data"
    named.mkdir()
    monkeypatch.setenv("TSKD_DATA", str(named))
    return named


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise requests.ConnectionError("no network")

    monkeypatch.setattr(requests, "get", refuse)
    monkeypatch.setattr("urllib.request.urlopen", lambda *args, **kwargs: refuse())


def some(address: str, content: bytes = TEXT, manual: str = "") -> File:
    return File("some.csv", address, hashlib.sha256(content).hexdigest(), "free", manual=manual)


# ---- the folder of the user ------------------------------------------------------------------------------------------


def test_a_missing_file_is_named_with_its_source_and_what_to_do(
    folder: Path, offline: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FileNotFoundError, match=r"'ETTh1.csv' \(from https:.*ETTh1.csv\) is not in the folder .*TSKD"):
        load("ett-loads")
    with pytest.raises(FileNotFoundError, match=r"'weather.csv' .* is not in the folder .*bundle that https"):
        load("weather")
    monkeypatch.delenv("TSKD_DATA")
    with pytest.raises(FileNotFoundError, match=r"'weather.csv' \(from https://.*name that in TSKD_DATA.*bundle"):
        load("weather-future")
    with pytest.raises(FileNotFoundError, match=r"'beijing_multi.* name that in TSKD_DATA.*tskd.datasets.build"):
        load("beijing-met")


def test_another_file_of_the_same_name_is_refused(folder: Path) -> None:
    (folder / "ETTh1.csv").write_text("date,OT\n2016-07-01,1\n")
    with pytest.raises(ValueError, match=r"SHA-256 of its content is \w{64}, expected f18de3ad"):
        load("ett-loads")


def test_a_file_may_be_compressed_or_not(folder: Path) -> None:
    file = some("nowhere")
    (folder / "some.csv.gz").write_bytes(gzip.compress(TEXT))
    assert file.csv(nrows=1).to_dict("list") == TABLE
    (folder / "some.csv").write_bytes(TEXT)
    assert file.content() == TEXT


def test_a_compressed_file_that_was_cut_short_is_refused(folder: Path) -> None:
    for damaged in (gzip.compress(TEXT)[:-20], b"no gzip at all", gzip.compress(TEXT)[:10] + b"\xff" * 50):
        (folder / "some.csv.gz").write_bytes(damaged)
        with pytest.raises(ValueError, match=r"some.csv.gz cannot be decompressed: .*Get it anew"):
            some("nowhere").content()


def test_parquet_without_pyarrow_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'tskd\[data\]'"):
        load("beijing-met")


def test_a_parquet_file_is_known_by_its_table_not_its_bytes(folder: Path) -> None:
    pytest.importorskip("pyarrow")
    table = pd.DataFrame(
        {
            "when": pd.date_range("2020-01-01", periods=3, freq="h"),
            "value": [0.1, np.nan, 3],
            "where": pd.Categorical(["a", None, "b"]),
        }
    )
    file = File("some.parquet", "nowhere", table_checksum(table), "free", manual="Make it.")
    for compression in ("snappy", "gzip"):
        table.assign(where=table["where"].astype(object)).to_parquet(folder / "some.parquet", compression=compression)
        assert file.parquet()["value"].iloc[2] == 3
    changes = [
        table.assign(value=[0.1, np.nan, 3.001]),
        table.assign(value=[0.1, 2, 3]),
        table.assign(where=pd.Series(["a", None, "c"], table.index, dtype=table["where"].dtype)),
        table.assign(when=table["when"] + pd.Timedelta("1s")),
        table.rename(columns={"value": "values"}),
        table[["value", "when", "where"]],
        table[::-1],
    ]
    for changed in changes:
        changed.to_parquet(folder / "some.parquet")
        with pytest.raises(ValueError, match="is not the file that this data set was made for"):
            file.parquet()
    (folder / "some.parquet").write_bytes((folder / "some.parquet").read_bytes()[:-50])
    with pytest.raises(ValueError, match="cannot be read as a parquet file"):
        file.parquet()


# ---- downloads -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/some.csv", "/some.zip"])
def test_a_file_is_downloaded_once_and_kept(source: str, home: Path, path: str) -> None:
    file = some(f"{source}{path}")
    assert file.kept is None
    assert file.content() == file.content() == TEXT
    assert Source.asked == [path]
    assert file.kept == home / ".cache" / "tskd" / "some.csv"
    assert [item.name for item in file.kept.parent.iterdir()] == ["some.csv"]


def test_what_the_user_has_is_looked_at_first(source: str, folder: Path) -> None:
    (folder / "some.csv").write_bytes(TEXT)
    assert some(f"{source}/some.csv").content() == TEXT and not Source.asked
    (folder / "some.csv").unlink()
    assert some(f"{source}/some.csv").content() == TEXT and Source.asked
    assert not list(folder.iterdir()), "the user's folder is the user's"


def test_the_cache_is_where_xdg_says(source: str, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert fetching.cache_folder() == home / ".cache" / "tskd"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    some(f"{source}/some.csv").content()
    assert (tmp_path / "cache" / "tskd" / "some.csv").read_bytes() == TEXT


@pytest.mark.parametrize("damage", [TEXT[:50], TEXT + b"1", b""])
def test_what_was_kept_and_is_damaged_is_downloaded_again(source: str, home: Path, damage: bytes) -> None:
    file = some(f"{source}/some.csv")
    fetching.keep(damage, "some.csv")
    assert file.content() == TEXT and file.kept is not None and file.kept.read_bytes() == TEXT


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/none.csv", "answers 404 Not Found"),
        ("/cut.csv", "ended after 100 of 8000 bytes"),
        ("/silent.csv", "timed out"),
        ("/other.zip", "holds no 'some.csv' but other.csv"),
        ("/text.zip", "is no zip file"),
        ("/broken.zip", "or a damaged one"),
    ],
)
def test_a_download_that_fails_says_why_and_what_to_do(
    source: str, home: Path, path: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "SECONDS", 0.3)
    with pytest.raises(FileNotFoundError, match=f"'some.csv' .*name that in TSKD_DATA. It cannot be .*{words}"):
        some(f"{source}{path}").content()
    assert not (home / ".cache").exists()


def test_without_a_network_the_user_learns_what_to_do(home: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"name that in TSKD_DATA. It cannot .*127.0.0.1:9.* cannot be read"):
        some("http://127.0.0.1:9/some.csv").content()


def test_another_file_at_the_source_is_not_kept(source: str, home: Path) -> None:
    with pytest.raises(ValueError, match=r"damaged.csv is not the file .* SHA-256"):
        some(f"{source}/damaged.csv").content()
    assert not (home / ".cache").exists()


def test_a_source_that_needs_a_user_is_not_asked(source: str, home: Path) -> None:
    with pytest.raises(FileNotFoundError, match="With an account there"):
        some(f"{source}/some.csv", manual="With an account there.").content()
    assert not Source.asked


def test_a_file_is_kept_whole_or_not_at_all(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", full)
        with pytest.raises(OSError, match="no space"):
            fetching.keep(TEXT, "some.csv")
    assert not list(fetching.cache_folder().iterdir())


# ---- darts -----------------------------------------------------------------------------------------------------------


def test_darts_keeps_its_files_where_we_look() -> None:
    assert fetching.darts_folder() == DatasetLoader._DEFAULT_DIRECTORY


@pytest.mark.parametrize("file", [file for file in FILES if file.darts], ids=lambda file: file.name)
def test_darts_offers_the_same_file(file: File, data_folder: Path) -> None:
    metadata = getattr(darts.datasets, file.darts)()._metadata
    assert metadata.name == file.name
    assert metadata.hash == hashlib.md5(file.content()).hexdigest()


@pytest.mark.parametrize("name", ["exchange_rate", "weather"])
def test_darts_offers_another_file_of_this_name(name: str, data_folder: Path) -> None:
    loader = {"exchange_rate": darts.datasets.ExchangeRateDataset, "weather": darts.datasets.WeatherDataset}[name]
    file = next(file for file in FILES if file.name == f"{name}.csv")
    assert loader()._metadata.hash != hashlib.md5(file.content()).hexdigest() and not file.darts


def test_darts_own_copy_serves(home: Path, data_folder: Path) -> None:
    kept = home / ".darts" / "datasets"
    kept.mkdir(parents=True)
    (kept / "ETTh2.csv").write_bytes(gzip.decompress((data_folder / "ETTh2.csv.gz").read_bytes()))
    assert len(load("etth2").series) == 14400
    assert "ETTh2.csv                      downloaded  " in listing()


def test_a_damaged_copy_of_darts_is_named(home: Path) -> None:
    kept = home / ".darts" / "datasets"
    kept.mkdir(parents=True)
    (kept / "ETTh2.csv").write_text("date,OT\n")
    with pytest.raises(ValueError, match=r"ETTh2.csv, which darts downloaded, is damaged; delete it"):
        load("etth2")
    assert "ETTh2.csv                      damaged  " in listing(verify=True)


def test_darts_offline_is_no_riddle(home: Path, offline: None) -> None:
    with pytest.raises(FileNotFoundError, match=r"'ETTh2.csv' .*TSKD_DATA. It cannot be downloaded: .*no network"):
        load("etth2")


# ---- files that are made ---------------------------------------------------------------------------------------------


def test_beijing_is_made_of_its_stations(data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = BEIJING.parquet()
    source = tmp_path / "PRSA_Data"
    source.mkdir()
    for station, rows in table.groupby("station", observed=True):
        when = rows["datetime"].dt
        parts = pd.DataFrame({"year": when.year, "month": when.month, "day": when.day, "hour": when.hour})
        rows = pd.concat([parts, rows.drop(columns="datetime")], axis=1)
        rows.insert(0, "No", range(1, len(rows) + 1))
        rows.to_csv(source / f"PRSA_Data_{station}_20130301-20170228.csv", index=False, na_rep="NA")
    monkeypatch.setenv("TSKD_DATA", str(tmp_path / "made"))
    assert making.main([BEIJING.name, str(tmp_path)]) == 0
    pd.testing.assert_series_equal(BEIJING.parquet()["PM2.5"], table["PM2.5"])
    next(source.iterdir()).unlink()
    (tmp_path / "made" / BEIJING.name).unlink()
    assert making.main([BEIJING.name, str(tmp_path)]) == 2
    assert not list((tmp_path / "made").iterdir())


def test_the_household_is_made_of_its_minutes(data_folder: Path, tmp_path: Path) -> None:
    table = HOUSEHOLD.parquet()
    when = table["datetime"].dt
    table.insert(0, "Date", when.day.astype(str) + "/" + when.month.astype(str) + "/" + when.year.astype(str))
    table.insert(1, "Time", when.strftime("%H:%M:%S"))
    text = table.drop(columns="datetime").to_csv(sep=";", index=False, na_rep="?")
    (tmp_path / "household_power_consumption.txt").write_text(text)
    assert table_checksum(making.minutes(tmp_path)) == HOUSEHOLD.checksum
    found = making.hours(tmp_path).set_index("Datetime")
    wanted = HOURLY.parquet().set_index("Datetime").loc[found.index]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_making_says_how_it_is_used_and_what_is_missing(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert making.main([BEIJING.name, str(home)]) == 2
    assert "TSKD_DATA=TO python -m tskd.datasets.build" in capsys.readouterr().err
    monkeypatch.setenv("TSKD_DATA", str(home))
    assert making.main(["weather.csv", str(home)]) == 2
    assert making.main([BEIJING.name, str(home)]) == 2
    assert "holds no file PRSA_Data_*.csv" in capsys.readouterr().err
    assert making.main([HOURLY.name, str(home)]) == 2
    assert "household_power_consumption.txt" in capsys.readouterr().err


# ---- the listing -----------------------------------------------------------------------------------------------------


def state(name: str, text: str) -> str:
    line = next(line for line in text.splitlines() if line.split()[0:1] == [name])
    return line.split("  ")[-1].strip()


def test_the_listing_names_every_set_and_what_to_do(home: Path) -> None:
    text = listing()
    assert max(map(len, text.replace(str(home), "~").splitlines())) <= 110
    assert {name: state(name, text) for name in ("co2", "etth1", "air-quality", "weather", "beijing-met")} == {
        "co2": "in statsmodels",
        "etth1": "downloaded on use",
        "air-quality": "downloaded on use",
        "weather": "missing",
        "beijing-met": "missing",
    }
    assert all(any(line.startswith(f"{name} ") for line in text.splitlines()) for name in CATALOGUE)
    for file in FILES:
        assert file.name in text and file.address in text and file.licence in text
    assert "export TSKD_DATA=" in text and str(home / ".cache" / "tskd") in text


def test_the_listing_tells_what_is_here_and_reads_it_if_asked(folder: Path, data_folder: Path) -> None:
    for name in ("ETTh1.csv.gz", "ETTm1.csv.gz", "weather.csv.gz"):
        shutil.copy(data_folder / name, folder)
    damaged = folder / "ETTm1.csv.gz"
    damaged.chmod(0o644)
    damaged.write_bytes(damaged.read_bytes()[:1000])
    (folder / BEIJING.name).write_bytes(b"PAR1")
    text, verified = listing(), listing(verify=True)
    assert {state(name, text) for name in ("ett-all", "ett-loads", "weather", "beijing-all")} == {"here"}
    assert [state(name, verified) for name in ("ett-all", "ett-loads", "weather")] == ["damaged", "here", "here"]
    assert state("beijing-all", verified) == "damaged" and "tskd.datasets.build" in verified


def test_the_listing_says_that_pyarrow_is_needed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / BEIJING.name).write_bytes(b"PAR1")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert state("beijing-all", listing(verify=True)) == "needs pyarrow"


def test_everything_here_is_what_it_should_be(data_folder: Path) -> None:
    pytest.importorskip("pyarrow")
    text = listing(verify=True)
    assert {state(name, text) for name, entry in CATALOGUE.items() if entry.files} == {"here"}


def test_the_listing_loads_nothing_heavy() -> None:
    heavy = "print([name for name in ('torch', 'darts', 'pandas', 'numpy', 'tqdm') if name in sys.modules])"
    statement = f"import sys; from tskd.datasets.availability import listing; listing(); {heavy}"
    done = subprocess.run([sys.executable, "-c", statement], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_set_of_the_catalogue_is_a_function_of_its_own() -> None:
    loaders = [entry.load for entry in CATALOGUE.values()]
    assert len(set(loaders)) == len(loaders)
