"""Tables of forecasts as Python text, each with something that is odd."""

from __future__ import annotations

TABLES = tuple(
    f"pd.DataFrame({{'origin': [{origin}], 'step': [{step}], 'component': [{component}], 'value': [{value}]{more}}})"
    for origin, step, component, value, more in (
        ("Y.time_index[5]", "1", "'y0'", "1.0", ""),
        ("Y.time_index[5]", "0", "'y0'", "1.0", ""),
        ("Y.time_index[5]", "nan", "'y0'", "1.0", ""),
        ("Y.time_index[5]", "10**30", "'y0'", "1.0", ""),
        ("Y.time_index[5]", "10**6", "'y0'", "1.0", ""),
        ("Y.time_index[5]", "1", "None", "1.0", ""),
        ("Y.time_index[5]", "1", "3", "1.0", ""),
        ("Y.time_index[5]", "1", "'y0'", "'a'", ""),
        ("Y.time_index[5]", "1", "'y0'", "inf", ""),
        ("Y.time_index[5]", "1", "'y0'", "10**30", ""),
        ("Y.time_index[5]", "1", "'y0'", "1j", ""),
        ("pd.NaT", "1", "'y0'", "1.0", ""),
        ("'2020-01-02'", "1", "'y0'", "1.0", ""),
        ("5", "1", "'y0'", "1.0", ""),
        ("[5]", "[1]", "['y0']", "[1.0]", ""),
        ("Y.time_index[5]", "1", "'y0'", "1.0", ", 'std': [0.0]"),
        ("Y.time_index[5]", "1", "'y0'", "1.0", ", 'std': ['a']"),
        ("Y.time_index[5]", "1", "'y0'", "1.0", ", 'quantile': [0.4]"),
        ("Y.time_index[5]", "1", "'y0'", "1.0", ", 'quantile': [2]"),
        ("Y.time_index[5]", "1", "'y0'", "1.0", ", 'series': [-1]"),
        ("Y.time_index[5]", "1", "'y0'", "1.0", ", 'series': [10**30]"),
        ("Y.time_index[5]", "1", "'y0'", "1.0", ", 'more': [1]"),
    )
)
