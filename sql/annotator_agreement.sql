-- How far do the annotators of each study agree with each other, and with control items?
select
    agreement.study,
    agreement.measure,
    agreement.n_annotators,
    agreement.n_tasks,
    round(agreement.observed_agreement, 3) as observed_agreement,
    round(agreement.krippendorff_alpha, 3) as krippendorff_alpha,
    round(agreement.fleiss_kappa, 3) as fleiss_kappa,
    round(min(quality.control_accuracy), 3) as lowest_control_accuracy
from marts.human_agreement as agreement
inner join marts.annotator_quality as quality using (study)
group by all
order by agreement.study, agreement.measure desc
