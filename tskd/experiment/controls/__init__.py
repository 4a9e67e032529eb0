"""Controls: arms that tell what a gain may be due to, if not to privileged information."""
