/*
id = "water.non_revenue_month"
kind = "indicator"
version = 1
unit = "%"
grain = "area and town, local month"
reads = ["indicator_values", "local_periods", "run"]
needs = ["water.non_revenue"]
references = ["IWA: non-revenue water = system input volume - billed authorised consumption, as metered"]
cadence = "night"
period = "month"
reach = { before = 0, after = 0 }

[title]
en = "Non-revenue water of a month"
sl = "Neobračunana voda v mesecu"

[meaning]
en = "Non-revenue volume over inflow of a whole local month, from the days that have both; there is no value where fewer than three quarters of its days do."
sl = "Neobračunana količina glede na dotok v celem krajevnem mesecu, iz dni, ki imajo oboje; vrednosti ni, če ima oboje manj kot tri četrtine njegovih dni."

[[example]]
title = "February has 20 days with values, too few; of March three are missing, and a day counts by its inflow"
as_of = 2026-04-01T12:00:00Z
[example.given]
indicator_values = """
SELECT 'water.non_revenue' AS indicator, 'area' AS subject_kind, 'east' AS subject_id, d::DATE AS period_start, d::DATE + 1 AS period_end,
    CASE WHEN day(d) = 4 THEN 90.0 ELSE 30.0 END AS value, CASE WHEN day(d) = 4 THEN 90.0 ELSE 3.0 END AS numerator, CASE WHEN day(d) = 4 THEN 100.0 ELSE 10.0 END AS denominator, 1.0 AS coverage, 6 AS devices, 0.0 AS estimated_share
FROM range(TIMESTAMP '2026-02-01', TIMESTAMP '2026-04-01', INTERVAL 1 DAY) AS r (d)
WHERE month(d) = 2 AND day(d) <= 20 OR month(d) = 3 AND day(d) > 3"""
[[example.expect]]
subject_id = "east"
period_start = 2026-03-01
period_end = 2026-04-01
value = 46.21621621621622
numerator = 171.0
denominator = 370.0
coverage = 0.9032258064516129
*/
WITH day AS (
    SELECT subject_kind, subject_id, period_start, coverage, devices, estimated_share, CAST(value AS DECIMAL(24, 9)) AS value,
        CAST(numerator AS DECIMAL(24, 9)) AS numerator, CAST(denominator AS DECIMAL(24, 9)) AS denominator
    FROM indicator_values WHERE indicator = 'water.non_revenue' AND value IS NOT NULL
)
SELECT d.subject_kind, d.subject_id, p.starts_on AS period_start, p.ends_on AS period_end,
    100 * sum(d.numerator) / sum(d.denominator) AS value, sum(d.numerator) AS numerator, sum(d.denominator) AS denominator,
    sum(d.coverage) / any_value(p.days) AS coverage, max(d.devices) AS devices,
    sum(d.denominator * d.estimated_share) / sum(d.denominator) AS estimated_share
FROM day AS d
JOIN local_periods AS p ON p.period = 'month' AND p.starts_on = CAST(date_trunc('month', d.period_start) AS DATE)
CROSS JOIN run AS r
WHERE p.ends_on <= r.today
GROUP BY d.subject_kind, d.subject_id, p.starts_on, p.ends_on
HAVING count(*) >= 0.75 * any_value(p.days) AND sum(d.denominator) > 0
ORDER BY subject_kind, subject_id, period_start
