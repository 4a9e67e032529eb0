"""Distillation: a student trained on labels and on what its teachers say."""
