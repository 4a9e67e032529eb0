"""The version of tskd."""

__version__ = "0.1.0"
