"""The data of an experiment: folds, sizes, scaled parts, and what each fit is given of them."""
