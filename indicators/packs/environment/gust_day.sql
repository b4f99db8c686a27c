/*
id = "environment.gust_day"
kind = "indicator"
version = 1
unit = "m/s"
grain = "station, local day"
reads = ["weather", "assignments", "local_days", "run"]
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
title = "The day of 23 hours is whole with 92 quarters; a station that was silent in the afternoon has no value"
as_of = 2026-03-30T12:00:00Z
[example.given]
assignments = "SELECT 'd' || i AS device_id, 'x' || i AS thing_id, TIMESTAMPTZ '2024-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
weather = """
SELECT 'd' || i AS device_id, t AS observed_at, CASE WHEN hour(t) = 5 THEN 17.5 ELSE 3.0 END AS gust_ms
FROM range(TIMESTAMPTZ '2026-03-28 23:00:00Z', TIMESTAMPTZ '2026-03-29 22:00:00Z', INTERVAL 15 MINUTE) AS r (t), range(2) AS d (i)
WHERE i = 0 OR hour(t) < 12"""
[[example.expect]]
subject_kind = "thing"
subject_id = "x0"
period_start = 2026-03-29
value = 17.5
numerator = 92.0
denominator = 92.0
coverage = 1.0
*/
WITH quarter AS (
    SELECT a.thing_id, time_bucket(INTERVAL 15 MINUTE, w.observed_at) AS starts_at, max(w.gust_ms) AS amount
    FROM weather AS w
    JOIN assignments AS a ON a.device_id = w.device_id AND w.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR w.observed_at < a.valid_to)
    WHERE w.gust_ms IS NOT NULL AND w.quality NOT IN (4, 9)
    GROUP BY a.thing_id, starts_at
),
dated AS (
    SELECT q.*, CAST(q.starts_at AT TIME ZONE r.zone AS DATE) AS local_date FROM quarter AS q CROSS JOIN run AS r
)
SELECT 'thing' AS subject_kind, d.thing_id AS subject_id, d.local_date AS period_start, d.local_date + 1 AS period_end,
    CAST(max(d.amount) AS DOUBLE) AS value, count(*) AS numerator, 4 * any_value(l.hours) AS denominator,
    count(*) / (4 * any_value(l.hours)) AS coverage, 1 AS devices, 0.0 AS estimated_share
FROM dated AS d JOIN local_days AS l ON l.local_date = d.local_date CROSS JOIN run AS r
WHERE d.local_date < r.today
GROUP BY d.thing_id, d.local_date
HAVING count(*) >= 0.75 * 4 * any_value(l.hours)
ORDER BY subject_id, period_start
