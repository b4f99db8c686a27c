/*
id = "environment.pm10_days_above"
kind = "indicator"
version = 1
unit = "d"
grain = "station, local year"
reads = ["stored_periods", "indicator_values", "local_periods", "run"]
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
title = "At the limit is not above it"
as_of = 2026-01-02T12:00:00Z
given.indicator_values = "SELECT 'environment.pm10_day' AS indicator, 'thing' AS subject_kind, 'x' AS subject_id, d::DATE AS period_start, 50 + month(d) // 12 AS value, 1.0 AS coverage FROM range(TIMESTAMP '2025-01-01', TIMESTAMP '2026-01-01', INTERVAL 1 DAY) AS r (d)"
expect = [{ subject_id = "x", period_start = 2025-01-01, value = 31.0, denominator = 365.0 }]
*/
SELECT p.subject_kind, p.subject_id, p.period_start, p.period_end, len(list_filter(p.amounts, lambda level: level > 50)) AS value,
    value AS numerator, p.told AS denominator, p.told / p.days AS coverage, 1 AS devices, 0.0 AS estimated_share
FROM stored_periods('environment.pm10_day', 'year') AS p CROSS JOIN run AS r WHERE p.period_end <= r.today AND p.told >= 0.9 * p.days
ORDER BY subject_id, period_start
