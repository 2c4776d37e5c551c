"""How far annotators agree with each other."""


def model(dbt, session):
    """Return what `eve_pipeline.statistics.agreement` computes for every study."""
    from eve_pipeline.statistics.agreement import annotator_agreement

    return annotator_agreement(
        dbt.ref("stg_annotations").filter("not is_control").project("study, task, annotator, verdict").pl()
    ).to_arrow()
