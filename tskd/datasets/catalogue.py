"""All data sets by name, with what is known of each before its file is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tskd.datasets import (
    air_quality,
    appliances,
    beijing,
    carbon_dioxide,
    electricity,
    exchange,
    five_cities,
    household,
    illness,
    stock_indices,
    weather,
)
from tskd.datasets.base import DataSet
from tskd.datasets.files import File


@dataclass(frozen=True)
class CatalogueEntry:
    """One data set.

    Attributes:
        load: reads it from its files.
        about: what is forecast; after a semicolon, what is privileged.
        rows: length of its series.
        targets: number of components of its series.
        step: length of a step.
        files: the files that it is read from.
        package: the package that its data ship with, if it is read from no file.
    """

    load: Callable[[], DataSet]
    about: str
    rows: int
    targets: int
    step: str
    files: tuple[File, ...] = ()
    package: str = ""

    @property
    def size(self) -> str:
        """Its size as text, such as '17,420 × 7, 1 h'."""
        return f"{self.rows:,} × {self.targets}, {self.step}"


CATALOGUE = {
    "air-quality": CatalogueEntry(
        air_quality.air_quality, "NO2 from cheap sensors; reference analysers", 9_357, 1, "1 h", (air_quality.AIR,)
    ),
    "appliances": CatalogueEntry(
        appliances.appliances, "energy of a house; rooms, weather, noise", 19_584, 1, "10 min", (appliances.HOUSE,)
    ),
    "appliances-fine": CatalogueEntry(
        appliances.appliances_fine, "energy of a house; its ten minutes", 3_264, 1, "1 h", (appliances.HOUSE,)
    ),
    "beijing-all": CatalogueEntry(
        beijing.everything, "12 stations × 11 readings", 35_040, 132, "1 h", (beijing.BEIJING,)
    ),
    "beijing-met": CatalogueEntry(
        beijing.met, "PM2.5 from meteorology; its own past, gases", 6_576, 1, "1 h", (beijing.BEIJING,)
    ),
    "beijing-neighbours": CatalogueEntry(
        beijing.neighbours, "PM2.5; eleven other stations", 6_576, 1, "1 h", (beijing.BEIJING,)
    ),
    "beijing-neighbours-long": CatalogueEntry(
        beijing.neighbours_long, "log PM2.5; other stations, four years", 35_040, 1, "1 h", (beijing.BEIJING,)
    ),
    "chengdu": CatalogueEntry(five_cities.chengdu, "PM2.5; meteorology", 6_552, 1, "1 h", (five_cities.CHENGDU,)),
    "co2": CatalogueEntry(
        carbon_dioxide.co2, "CO2 at Mauna Loa, change; its weeks", 558, 1, "28 days", package="statsmodels"
    ),
    "ett-all": CatalogueEntry(
        electricity.ett_all,
        "oil temperature; quarter hours, loads",
        7_200,
        1,
        "1 h",
        (electricity.ETTH1, electricity.ETTM1),
    ),
    "ett-fine": CatalogueEntry(
        electricity.ett_fine, "oil temperature; quarter hours", 7_200, 1, "1 h", (electricity.ETTH1, electricity.ETTM1)
    ),
    "ett-loads": CatalogueEntry(
        electricity.ett_loads, "oil temperature from loads; its own past", 7_200, 1, "1 h", (electricity.ETTH1,)
    ),
    "etth1": CatalogueEntry(electricity.etth1, "benchmark: transformer 1", 14_400, 7, "1 h", (electricity.ETTH1,)),
    "etth2": CatalogueEntry(electricity.etth2, "benchmark: transformer 2", 14_400, 7, "1 h", (electricity.ETTH2,)),
    "ettm1": CatalogueEntry(electricity.ettm1, "benchmark: transformer 1", 57_600, 7, "15 min", (electricity.ETTM1,)),
    "ettm2": CatalogueEntry(electricity.ettm2, "benchmark: transformer 2", 57_600, 7, "15 min", (electricity.ETTM2,)),
    "exchange": CatalogueEntry(exchange.exchange, "benchmark: exchange rates", 7_588, 8, "1 day", (exchange.EXCHANGE,)),
    "household": CatalogueEntry(
        household.household, "power; its ten minutes, circuits", 4_320, 1, "1 h", (household.HOUSEHOLD,)
    ),
    "household-hourly": CatalogueEntry(
        household.household_hourly, "benchmark: power of a household", 34_589, 7, "1 h", (household.HOURLY,)
    ),
    "illness": CatalogueEntry(
        illness.illness, "benchmark: influenza-like illness", 966, 7, "7 days", (illness.ILLNESS,)
    ),
    "nasdaq": CatalogueEntry(
        stock_indices.nasdaq, "absolute return; range of the day", 5_030, 1, "1 day", package=stock_indices.PACKAGE
    ),
    "shanghai": CatalogueEntry(five_cities.shanghai, "PM2.5; meteorology", 6_552, 1, "1 h", (five_cities.SHANGHAI,)),
    "shanghai-neighbours": CatalogueEntry(
        five_cities.shanghai_neighbours,
        "log PM2.5; two other sites, three years",
        26_280,
        1,
        "1 h",
        (five_cities.SHANGHAI,),
    ),
    "sp500": CatalogueEntry(
        stock_indices.sp500, "absolute return; range of the day", 5_030, 1, "1 day", package=stock_indices.PACKAGE
    ),
    "spain-load": CatalogueEntry(
        electricity.spain_load, "load of Spain; day-ahead forecasts", 6_888, 1, "1 h", (electricity.SPAIN,)
    ),
    "weather": CatalogueEntry(weather.weather, "benchmark: weather at Jena", 52_704, 21, "10 min", (weather.JENA,)),
    "weather-all": CatalogueEntry(
        weather.weather_all, "air temperature; ten minutes, meteorology", 6_600, 1, "1 h", (weather.JENA,)
    ),
    "weather-costly": CatalogueEntry(
        weather.weather_costly, "air temperature; radiation, CO2", 6_600, 1, "1 h", (weather.JENA,)
    ),
    "weather-future": CatalogueEntry(
        weather.weather_future, "air temperature; meteorology", 6_600, 1, "1 h", (weather.JENA,)
    ),
}
