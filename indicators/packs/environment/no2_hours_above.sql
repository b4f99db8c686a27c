/*
id = "environment.no2_hours_above"
kind = "indicator"
version = 1
unit = "h"
grain = "station, local day"
reads = ["air_days", "local_days", "municipality", "run"]
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
SELECT 'thing' AS subject_kind, d.thing_id AS subject_id, d.local_date AS period_start, d.local_date + 1 AS period_end,
    len(list_filter(d.levels, lambda level: level > 200)) AS value, value AS numerator, d.known_h AS denominator, d.coverage,
    1 AS devices, 0.0 AS estimated_share
FROM air_days AS d CROSS JOIN run AS r WHERE d.pollutant = 'no2' AND d.local_date < r.today AND d.coverage >= 0.75
ORDER BY subject_id, period_start
