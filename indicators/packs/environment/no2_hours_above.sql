/*
id = "environment.no2_hours_above"
kind = "indicator"
version = 1
unit = "h"
grain = "station, local day"
reads = ["air_hourly", "local_days", "run"]
references = ["Limit of the hourly mean: 200 ug/m3, not more than 18 hours a year (Directive 2008/50/EC, as the European Environment Agency states it); stricter limits from 2030 (Directive (EU) 2024/2881) unverified", "An hour counts with 75 % of its quarters, a day with 75 % of its hours (Directive 2008/50/EC, as the project's facts tell it: unverified)"]
cadence = "night"
own = true
reach = { before = 0, after = 0 }

[title]
en = "Hours with nitrogen dioxide above 200 µg/m³"
sl = "Ure z dušikovim dioksidom nad 200 µg/m³"

[meaning]
en = "Hours of a local day whose mean was above 200 µg/m³. The denominator counts the valid hours; below three quarters of the day's hours there is no value."
sl = "Ure krajevnega dneva, katerih povprečje je preseglo 200 µg/m³. Imenovalec so veljavne ure; pod tremi četrtinami ur dneva vrednosti ni."

[[example]]
title = "Two hours above; 200 itself is not above; at the next day half of the hours are missing"
as_of = 2026-03-04T12:00:00Z
[example.given]
assignments = [{ device_id = "d1", thing_id = "x", valid_from = "2024-01-01T00:00:00Z" }]
air_quality = """
SELECT 'd1' AS device_id, t AS observed_at, CASE WHEN hour(t) IN (7, 8) THEN 201.0 WHEN hour(t) = 9 THEN 200.0 ELSE 40.0 END AS no2_ugm3
FROM range(TIMESTAMPTZ '2026-03-01 23:00:00Z', TIMESTAMPTZ '2026-03-03 11:00:00Z', INTERVAL 15 MINUTE) AS r (t)"""
[[example.expect]]
subject_id = "x"
period_start = 2026-03-02
value = 2.0
denominator = 24.0
*/
WITH hourly AS (
    SELECT h.thing_id, h.level_ugm3 > 200 AS above, CAST(h.starts_at AT TIME ZONE r.zone AS DATE) AS local_date
    FROM air_hourly AS h CROSS JOIN run AS r
    WHERE h.pollutant = 'no2' AND h.coverage >= 0.75
)
SELECT 'thing' AS subject_kind, h.thing_id AS subject_id, h.local_date AS period_start, h.local_date + 1 AS period_end,
    count(*) FILTER (h.above) AS value, count(*) FILTER (h.above) AS numerator, count(*) AS denominator,
    count(*) / any_value(l.hours) AS coverage, 1 AS devices, 0.0 AS estimated_share
FROM hourly AS h JOIN local_days AS l ON l.local_date = h.local_date CROSS JOIN run AS r
WHERE h.local_date < r.today
GROUP BY h.thing_id, h.local_date
HAVING count(*) >= 0.75 * any_value(l.hours)
ORDER BY subject_id, period_start
