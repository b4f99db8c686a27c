/*
id = "environment.precipitation_day"
kind = "indicator"
version = 1
unit = "mm"
grain = "station, local day"
reads = ["weather", "assignments", "local_days", "run"]
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
WITH quarter AS (
    SELECT a.thing_id, time_bucket(INTERVAL 15 MINUTE, w.observed_at) AS starts_at, sum(CAST(w.precip_mm AS DECIMAL(18, 4))) AS amount
    FROM weather AS w
    JOIN assignments AS a ON a.device_id = w.device_id AND w.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR w.observed_at < a.valid_to)
    WHERE w.precip_mm IS NOT NULL AND w.quality NOT IN (4, 9)
    GROUP BY a.thing_id, starts_at
),
dated AS (
    SELECT q.*, CAST(q.starts_at AT TIME ZONE r.zone AS DATE) AS local_date FROM quarter AS q CROSS JOIN run AS r
)
SELECT 'thing' AS subject_kind, d.thing_id AS subject_id, d.local_date AS period_start, d.local_date + 1 AS period_end,
    CAST(sum(d.amount) AS DOUBLE) AS value, count(*) AS numerator, 4 * any_value(l.hours) AS denominator,
    count(*) / (4 * any_value(l.hours)) AS coverage, 1 AS devices, 0.0 AS estimated_share
FROM dated AS d JOIN local_days AS l ON l.local_date = d.local_date CROSS JOIN run AS r
WHERE d.local_date < r.today
GROUP BY d.thing_id, d.local_date
HAVING count(*) >= 0.9 * 4 * any_value(l.hours)
ORDER BY subject_id, period_start
