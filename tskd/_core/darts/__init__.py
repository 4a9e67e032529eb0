"""The bridge to darts 0.48: the only files that touch its private names.

`capabilities` (what a model reads and forecasts), `inspect` (its network, and what it was fitted on), `dataset`
(training data), `fit`, `forward` (running a network), `rolling` (historical forecasts) and `storage` (saved models).
"""
