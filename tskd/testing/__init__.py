"""Batteries of tests that a new part inherits."""
