"""Runs: which fits there are, how they are computed, and how they are kept."""
