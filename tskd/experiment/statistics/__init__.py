"""What the measurements tell: intervals, tests, verdicts."""
