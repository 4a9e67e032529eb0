"""Controls: arms that say what a gain may be due to, if not to privileged information."""
