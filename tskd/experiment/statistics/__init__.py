"""Statistics of arrays of errors: intervals, tests, verdicts. Nothing else of an experiment is needed for them."""
