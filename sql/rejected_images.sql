-- Which files or rows of each dataset could not be used, and why?
select
    dataset,
    reason,
    count(*) as n,
    min(path) as example,
    any_value(detail order by path) as example_detail
from raw.rejected_images
group by all
order by dataset, n desc, reason
