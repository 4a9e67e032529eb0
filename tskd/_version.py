"""The version of tskd."""

__version__ = "0.2.0"
