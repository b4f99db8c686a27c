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
title = "The day of 23 hours is whole with 92 quarters; a station that was silent in the afternoon has no value"
as_of = 2026-03-30T12:00:00Z
[example.given]
assignments = "SELECT 'd' || i AS device_id, 'x' || i AS thing_id, TIMESTAMPTZ '2024-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
weather = """
SELECT 'd' || i AS device_id, t AS observed_at, CASE WHEN hour(t) = 5 THEN 0.2 ELSE 0.0 END AS precip_mm
FROM range(TIMESTAMPTZ '2026-03-28 23:00:00Z', TIMESTAMPTZ '2026-03-29 22:00:00Z', INTERVAL 15 MINUTE) AS r (t), range(2) AS d (i)
WHERE i = 0 OR hour(t) < 12"""
[[example.expect]]
subject_kind = "thing"
subject_id = "x0"
period_start = 2026-03-29
value = 0.8
numerator = 92.0
denominator = 92.0
coverage = 1.0
*/
WITH reading AS (
    SELECT device_id, observed_at, precip_mm AS amount FROM weather WHERE precip_mm IS NOT NULL AND quality NOT IN (4, 9)
)
SELECT 'thing' AS subject_kind, d.thing_id AS subject_id, d.local_date AS period_start, d.local_date + 1 AS period_end, d.total AS value,
    d.quarters AS numerator, d.of_quarters AS denominator, d.coverage, 1 AS devices, 0.0 AS estimated_share
FROM quarter_days('reading') AS d CROSS JOIN run AS r WHERE d.local_date < r.today AND d.coverage >= 0.9
ORDER BY subject_id, period_start
