/*
id = "environment.precipitation_day"
kind = "indicator"
version = 1
unit = "mm"
grain = "station, local day"
reads = ["weather", "quarter_days", "assignments", "local_days", "municipality", "run"]
references = ["90 % of the quarters of an hour of a day: a convention, unverified"]
cadence = "night"
own = true
reach = { before = 0, after = 0 }

[title]
en = "Precipitation of the day"
sl = "Padavine dneva"

[meaning]
en = "Sum of the precipitation of a local day. The numerator counts the quarters of an hour that were heard, the denominator those of the day; below 90 % of them there is no value: rain that nobody measured is not zero."
sl = "Vsota padavin krajevnega dneva. Števec so slišane četrtine ure, imenovalec četrtine dneva; pod 90 % vrednosti ni: neizmerjen dež ni nič."

[[example]]
title = "A shower at five"
as_of = 2026-03-03T12:00:00Z
given.assignments = [{ device_id = "d1", thing_id = "x", valid_from = "2024-01-01T00:00:00Z" }]
given.weather = "SELECT 'd1' AS device_id, t AS observed_at, CASE hour(t) WHEN 5 THEN 0.2 ELSE 0.0 END AS precip_mm FROM range(TIMESTAMPTZ '2026-03-01 23:00:00Z', TIMESTAMPTZ '2026-03-02 23:00:00Z', INTERVAL 15 MINUTE) AS r (t)"
expect = [{ subject_id = "x", value = 0.8, numerator = 96.0 }]

[[example]]
title = "Three hours are missing, and it may have rained"
as_of = 2026-03-03T12:00:00Z
given.assignments = [{ device_id = "d1", thing_id = "x", valid_from = "2024-01-01T00:00:00Z" }]
given.weather = "SELECT 'd1' AS device_id, t AS observed_at, 0.0 AS precip_mm FROM range(TIMESTAMPTZ '2026-03-02 02:00:00Z', TIMESTAMPTZ '2026-03-02 23:00:00Z', INTERVAL 15 MINUTE) AS r (t)"
expect = []
*/
WITH reading AS (
    SELECT device_id, observed_at, precip_mm AS amount FROM weather WHERE precip_mm IS NOT NULL AND quality NOT IN (4, 9)
)
SELECT 'thing' AS subject_kind, d.thing_id AS subject_id, d.local_date AS period_start, d.local_date + 1 AS period_end, d.total AS value,
    d.quarters AS numerator, d.of_quarters AS denominator, d.coverage, 1 AS devices, 0.0 AS estimated_share
FROM quarter_days('reading') AS d CROSS JOIN run AS r WHERE d.local_date < r.today AND d.coverage >= 0.9
ORDER BY subject_id, period_start
