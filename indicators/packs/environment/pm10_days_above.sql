/*
id = "environment.pm10_days_above"
kind = "indicator"
version = 1
unit = "d"
grain = "station, local year"
reads = ["indicator_values", "local_periods", "run"]
needs = ["environment.pm10_day"]
references = ["Limit of the daily mean: 50 ug/m3, not more than 35 days a year (Directive 2008/50/EC, as the European Environment Agency states it); 45 and 18 days from 2030 (Directive (EU) 2024/2881, unverified)", "A year needs values of 90 % of its days (Directive 2008/50/EC asks for 90 % of the data; unverified in its detail)"]
cadence = "night"
period = "year"
own = true
reach = { before = 0, after = 0 }

[title]
en = "Days with PM10 above 50 µg/m³"
sl = "Dnevi s PM10 nad 50 µg/m³"

[meaning]
en = "Days of a whole local year whose mean of PM10 was above 50 µg/m³. The denominator counts the days with a value; below 90 % of the year's days there is no value: what was not measured may have been above."
sl = "Dnevi celega krajevnega leta z dnevnim povprečjem PM10 nad 50 µg/m³. Imenovalec so dnevi z vrednostjo; pod 90 % dni leta vrednosti ni: neizmerjeno je lahko preseglo mejo."

[[example]]
title = "A whole year of which 36 days are missing: just enough"
as_of = 2026-01-02T12:00:00Z
[example.given]
indicator_values = """
SELECT 'environment.pm10_day' AS indicator, 'thing' AS subject_kind, 'x' AS subject_id, d::DATE AS period_start, d::DATE + 1 AS period_end, CASE WHEN month(d) = 1 THEN 50 + 0.1 ELSE 50.0 END AS value, 1.0 AS coverage
FROM range(TIMESTAMP '2025-01-01', TIMESTAMP '2025-11-26', INTERVAL 1 DAY) AS r (d)"""
[[example.expect]]
subject_kind = "thing"
subject_id = "x"
period_start = 2025-01-01
period_end = 2026-01-01
value = 31.0
numerator = 31.0
denominator = 329.0
coverage = 0.901369863

[[example]]
title = "One day fewer: no value"
as_of = 2026-01-02T12:00:00Z
[example.given]
indicator_values = """
SELECT 'environment.pm10_day' AS indicator, 'thing' AS subject_kind, 'x' AS subject_id, d::DATE AS period_start, d::DATE + 1 AS period_end, CASE WHEN month(d) = 1 THEN 50 + 0.1 ELSE 50.0 END AS value, 1.0 AS coverage
FROM range(TIMESTAMP '2025-01-01', TIMESTAMP '2025-11-25', INTERVAL 1 DAY) AS r (d)"""
*/
SELECT 'thing' AS subject_kind, v.subject_id, p.starts_on AS period_start, p.ends_on AS period_end,
    count(*) FILTER (v.value > 50) AS value, count(*) FILTER (v.value > 50) AS numerator, count(*) AS denominator, count(*) / any_value(p.days) AS coverage, 1 AS devices, 0.0 AS estimated_share
FROM indicator_values AS v
JOIN local_periods AS p ON p.period = 'year' AND p.starts_on = CAST(date_trunc('year', v.period_start) AS DATE)
CROSS JOIN run AS r
WHERE v.indicator = 'environment.pm10_day' AND v.value IS NOT NULL AND p.ends_on <= r.today
GROUP BY v.subject_id, p.starts_on, p.ends_on
HAVING count(*) >= 0.9 * any_value(p.days)
ORDER BY subject_id, period_start
