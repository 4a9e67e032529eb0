"""The bridge to darts 0.48: the only files that touch its private names."""
