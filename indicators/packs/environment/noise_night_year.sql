/*
id = "environment.noise_night_year"
kind = "indicator"
version = 1
unit = "dB[SPL]"
grain = "station, local year"
reads = ["indicator_values", "local_periods", "run"]
needs = ["environment.noise_night"]
references = ["Energy mean over all days (Directive 2002/49/EC)", "90 % of the days: a convention, unverified"]
cadence = "night"
period = "year"
own = true
reach = { before = 0, after = 0 }

[title]
en = "Annual noise level Lnight"
sl = "Letna raven hrupa Lnoč"

[meaning]
en = "Energy mean of the daily Lnight of a whole local year. The numerator counts the days with a value, the denominator the days of the year; below 90 % of them there is no value. Measured at the sensor: no model of exposure."
sl = "Energijsko povprečje dnevnih Lnoč celega krajevnega leta. Števec so dnevi z vrednostjo, imenovalec dnevi leta; pod 90 % dni vrednosti ni. Izmerjeno ob senzorju: brez modela izpostavljenosti."

[[example]]
title = "A whole year of which 36 days are missing: just enough"
as_of = 2026-01-02T12:00:00Z
[example.given]
indicator_values = """
SELECT 'environment.noise_night' AS indicator, 'thing' AS subject_kind, 'x' AS subject_id, d::DATE AS period_start, d::DATE + 1 AS period_end, CASE WHEN month(d) = 1 THEN 70.0 ELSE 60.0 END AS value, 1.0 AS coverage
FROM range(TIMESTAMP '2025-01-01', TIMESTAMP '2025-11-26', INTERVAL 1 DAY) AS r (d)"""
[[example.expect]]
subject_kind = "thing"
subject_id = "x"
period_start = 2025-01-01
period_end = 2026-01-01
value = 62.667076813
numerator = 329.0

[[example]]
title = "One day fewer: no value"
as_of = 2026-01-02T12:00:00Z
[example.given]
indicator_values = """
SELECT 'environment.noise_night' AS indicator, 'thing' AS subject_kind, 'x' AS subject_id, d::DATE AS period_start, d::DATE + 1 AS period_end, CASE WHEN month(d) = 1 THEN 70.0 ELSE 60.0 END AS value, 1.0 AS coverage
FROM range(TIMESTAMP '2025-01-01', TIMESTAMP '2025-11-25', INTERVAL 1 DAY) AS r (d)"""
*/
SELECT 'thing' AS subject_kind, v.subject_id, p.starts_on AS period_start, p.ends_on AS period_end,
    10 * log10(CAST(sum(CAST(pow(10, v.value / 10) AS DECIMAL(38, 3))) AS DOUBLE) / count(*)) AS value, count(*) AS numerator, any_value(p.days) AS denominator, count(*) / any_value(p.days) AS coverage, 1 AS devices, 0.0 AS estimated_share
FROM indicator_values AS v
JOIN local_periods AS p ON p.period = 'year' AND p.starts_on = CAST(date_trunc('year', v.period_start) AS DATE)
CROSS JOIN run AS r
WHERE v.indicator = 'environment.noise_night' AND v.value IS NOT NULL AND p.ends_on <= r.today
GROUP BY v.subject_id, p.starts_on, p.ends_on
HAVING count(*) >= 0.9 * any_value(p.days)
ORDER BY subject_id, period_start
