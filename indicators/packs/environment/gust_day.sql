/*
id = "environment.gust_day"
kind = "indicator"
version = 1
unit = "m/s"
grain = "station, local day"
reads = ["weather", "quarter_days", "assignments", "local_days", "municipality", "run"]
references = ["75 % of the quarters of an hour of a day: a convention, unverified"]
cadence = "night"
own = true
reach = { before = 0, after = 0 }

[title]
en = "Strongest gust of the day"
sl = "Najmočnejši sunek vetra dneva"

[meaning]
en = "Strongest gust of a local day at a weather station. The numerator counts the quarters of an hour that were heard, the denominator those of the day; below three quarters of them there is no value."
sl = "Najmočnejši sunek vetra v krajevnem dnevu na vremenski postaji. Števec so slišane četrtine ure, imenovalec četrtine dneva; pod tremi četrtinami vrednosti ni."

[[example]]
title = "One gust before six"
as_of = 2026-03-03T12:00:00Z
given.assignments = [{ device_id = "d1", thing_id = "x", valid_from = "2024-01-01T00:00:00Z" }]
given.weather = "SELECT 'd1' AS device_id, t AS observed_at, CASE hour(t) WHEN 5 THEN 17.5 ELSE 3.0 END AS gust_ms FROM range(TIMESTAMPTZ '2026-03-01 23:00:00Z', TIMESTAMPTZ '2026-03-02 23:00:00Z', INTERVAL 15 MINUTE) AS r (t)"
expect = [{ subject_id = "x", value = 17.5, coverage = 1.0 }]
*/
WITH reading AS (
    SELECT device_id, observed_at, gust_ms AS amount FROM weather WHERE gust_ms IS NOT NULL AND quality NOT IN (4, 9)
)
SELECT 'thing' AS subject_kind, d.thing_id AS subject_id, d.local_date AS period_start, d.local_date + 1 AS period_end, d.highest AS value,
    d.quarters AS numerator, d.of_quarters AS denominator, d.coverage, 1 AS devices, 0.0 AS estimated_share
FROM quarter_days('reading') AS d CROSS JOIN run AS r WHERE d.local_date < r.today AND d.coverage >= 0.75
ORDER BY subject_id, period_start
