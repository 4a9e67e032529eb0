"""Teachers: darts models that see more while a student is trained; what they are shown, and what they say."""
