"""What an experiment is, from Python or from a YAML file."""
