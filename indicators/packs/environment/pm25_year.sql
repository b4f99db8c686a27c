/*
id = "environment.pm25_year"
kind = "indicator"
version = 1
unit = "ug/m3"
grain = "station, local year"
reads = ["stored_periods", "indicator_values", "local_periods", "run"]
needs = ["environment.pm25_day"]
references = ["Limit 25 ug/m3 (Directive 2008/50/EC); 10 from 2030 (Directive (EU) 2024/2881, unverified)", "A year needs values of 90 % of its days (Directive 2008/50/EC asks for 90 % of the data; unverified in its detail)", "ISO 37120:2018 8.1 (unverified)"]
cadence = "night"
period = "year"
own = true
reach = { before = 0, after = 0 }

[title]
en = "Annual mean of PM2.5"
sl = "Letno povprečje PM2,5"

[meaning]
en = "Mean of the daily means of a whole local year. The numerator counts the days with a value, the denominator the days of the year; below 90 % of them there is no value."
sl = "Povprečje dnevnih povprečij celega krajevnega leta. Števec so dnevi z vrednostjo, imenovalec dnevi leta; pod 90 % dni vrednosti ni."

[[example]]
title = "Its first 37 days are missing: no value"
as_of = 2026-01-02T12:00:00Z
given.indicator_values = "SELECT 'environment.pm25_day' AS indicator, 'thing' AS subject_kind, 'x' AS subject_id, d::DATE AS period_start, 9.0 AS value, 1.0 AS coverage FROM range(TIMESTAMP '2025-02-07', TIMESTAMP '2026-01-01', INTERVAL 1 DAY) AS r (d)"

[[example]]
title = "A quiet year"
as_of = 2026-01-02T12:00:00Z
given.indicator_values = "SELECT 'environment.pm25_day' AS indicator, 'thing' AS subject_kind, 'x' AS subject_id, d::DATE AS period_start, 9.0 AS value, 1.0 AS coverage FROM range(TIMESTAMP '2025-01-01', TIMESTAMP '2026-01-01', INTERVAL 1 DAY) AS r (d)"
expect = [{ subject_id = "x", value = 9.0 }]
*/
SELECT p.subject_kind, p.subject_id, p.period_start, p.period_end, p.mean AS value,
    p.told AS numerator, p.days AS denominator, p.told / p.days AS coverage, 1 AS devices, 0.0 AS estimated_share
FROM stored_periods('environment.pm25_day', 'year') AS p CROSS JOIN run AS r WHERE p.period_end <= r.today AND p.told >= 0.9 * p.days
ORDER BY subject_id, period_start
