"""Distillation: training a student on labels and on the outputs of its teachers."""
