select
    study,
    measure,
    n_annotators,
    n_tasks,
    n_common_tasks,
    observed_agreement,
    krippendorff_alpha,
    fleiss_kappa
from {{ ref('annotator_agreement') }}
