"""One module a stage: datasets, evaluation, marts."""
