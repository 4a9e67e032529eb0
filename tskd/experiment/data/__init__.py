"""The data of an experiment: folds, sizes, scaled parts, and the arguments of each fit."""
