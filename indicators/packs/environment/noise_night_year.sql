/*
id = "environment.noise_night_year"
kind = "indicator"
version = 1
unit = "dB[SPL]"
grain = "station, local year"
reads = ["stored_periods", "indicator_values", "local_periods", "run"]
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
title = "Ten decibels more in December: the energy decides"
as_of = 2026-01-02T12:00:00Z
given.indicator_values = "SELECT 'environment.noise_night' AS indicator, 'thing' AS subject_kind, 'x' AS subject_id, d::DATE AS period_start, 50.0 + 10 * (month(d) // 12) AS value, 1.0 AS coverage FROM range(TIMESTAMP '2025-01-01', TIMESTAMP '2026-01-01', INTERVAL 1 DAY) AS r (d)"
expect = [{ subject_id = "x", value = 52.465930029, numerator = 365.0 }]
*/
SELECT p.subject_kind, p.subject_id, p.period_start, p.period_end, 10 * log10(CAST(list_sum(list_transform(p.amounts, lambda level: CAST(pow(10, level / 10) AS DECIMAL(38, 3)))) AS DOUBLE) / p.told) AS value,
    p.told AS numerator, p.days AS denominator, p.told / p.days AS coverage, 1 AS devices, 0.0 AS estimated_share
FROM stored_periods('environment.noise_night', 'year') AS p CROSS JOIN run AS r WHERE p.period_end <= r.today AND p.told >= 0.9 * p.days
ORDER BY subject_id, period_start
