"""Label sets, affect schemes and label normalisation."""
