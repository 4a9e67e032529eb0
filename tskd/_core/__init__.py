"""Shared foundations: windows, series, checks, and the one package that touches darts' private names."""
