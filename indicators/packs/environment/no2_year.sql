/*
id = "environment.no2_year"
kind = "indicator"
version = 1
unit = "ug/m3"
grain = "station, local year"
reads = ["stored_periods", "indicator_values", "local_periods", "run"]
needs = ["environment.no2_day"]
references = ["Limit 40 ug/m3 (Directive 2008/50/EC); 20 from 2030 (Directive (EU) 2024/2881, unverified)", "A year needs values of 90 % of its days (Directive 2008/50/EC asks for 90 % of the data; unverified in its detail)", "ISO 37120:2018 8.5 (unverified)"]
cadence = "night"
period = "year"
own = true
reach = { before = 0, after = 0 }

[title]
en = "Annual mean of nitrogen dioxide"
sl = "Letno povprečje dušikovega dioksida"

[meaning]
en = "Mean of the daily means of a whole local year. The numerator counts the days with a value, the denominator the days of the year; below 90 % of them there is no value."
sl = "Povprečje dnevnih povprečij celega krajevnega leta. Števec so dnevi z vrednostjo, imenovalec dnevi leta; pod 90 % dni vrednosti ni."

[[example]]
title = "A whole year of which 36 days are missing: just enough"
as_of = 2026-01-02T12:00:00Z
[example.given]
indicator_values = """
SELECT 'environment.no2_day' AS indicator, 'thing' AS subject_kind, 'x' AS subject_id, d::DATE AS period_start, d::DATE + 1 AS period_end, CASE WHEN month(d) = 1 THEN 64.9 ELSE 20.0 END AS value, 1.0 AS coverage
FROM range(TIMESTAMP '2025-01-01', TIMESTAMP '2025-11-26', INTERVAL 1 DAY) AS r (d)"""
[[example.expect]]
subject_kind = "thing"
subject_id = "x"
period_start = 2025-01-01
period_end = 2026-01-01
value = 24.230699088
numerator = 329.0
denominator = 365.0
coverage = 0.901369863

[[example]]
title = "One day fewer: no value"
as_of = 2026-01-02T12:00:00Z
[example.given]
indicator_values = """
SELECT 'environment.no2_day' AS indicator, 'thing' AS subject_kind, 'x' AS subject_id, d::DATE AS period_start, d::DATE + 1 AS period_end, CASE WHEN month(d) = 1 THEN 64.9 ELSE 20.0 END AS value, 1.0 AS coverage
FROM range(TIMESTAMP '2025-01-01', TIMESTAMP '2025-11-25', INTERVAL 1 DAY) AS r (d)"""
*/
SELECT p.subject_kind, p.subject_id, p.period_start, p.period_end, p.mean AS value,
    p.told AS numerator, p.days AS denominator, p.told / p.days AS coverage, 1 AS devices, 0.0 AS estimated_share
FROM stored_periods('environment.no2_day', 'year') AS p CROSS JOIN run AS r WHERE p.period_end <= r.today AND p.told >= 0.9 * p.days
ORDER BY subject_id, period_start
