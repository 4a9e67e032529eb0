"""Teachers: darts models that may read privileged information; their inputs, fitting and outputs."""
