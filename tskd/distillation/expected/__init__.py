"""What distillation is expected to give, from the training part alone, before anything is trained."""
