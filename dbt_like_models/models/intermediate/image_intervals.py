"""Intervals of agreement with votes and with oneself, and of calibration, by resampling images."""


def model(dbt, session):
    """Return what `eve_pipeline.statistics.image_intervals` computes for every cell."""
    from eve_pipeline.statistics.computing import keep_in
    from eve_pipeline.statistics.image_intervals import ImageSums, image_intervals

    votes, distances = dbt.ref("vote_images").pl(), dbt.ref("vote_distances").pl()
    confidences, repeated = dbt.ref("confidences").pl(), dbt.ref("repeated_images").pl()
    images, keep = ImageSums(votes, distances, confidences, repeated), keep_in(dbt.config.get("cache"))
    return image_intervals(images, keep, dbt.config.get("draws")).to_arrow()
