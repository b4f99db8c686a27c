/*
id = "waste.overflow_hours"
kind = "indicator"
version = 1
unit = "h"
grain = "container, local day"
reads = ["waste_container", "assignments", "run"]
cadence = "night"
own = true

[title]
en = "Overflow hours of a container"
sl = "Ure prepolnosti zabojnika"

[meaning]
en = "Hours of a local day in which a container stood at 90 % or more. A reading counts until the next one, three hours at most; denominator and coverage say how much of the day was known."
sl = "Ure krajevnega dneva, v katerih je bil zabojnik napolnjen 90 % ali več. Odčitek velja do naslednjega, največ tri ure; imenovalec in pokritost povesta, koliko dneva je bilo znanega."

[[example]]
title = "Full from noon to three, then emptied"
as_of = 2026-03-03T12:00:00Z
[example.given]
assignments = [{ device_id = "d1", thing_id = "bin", valid_from = "2026-01-01T00:00:00Z" }]
waste_container = """
SELECT 'd1' AS device_id, t AS observed_at, CASE WHEN hour(t) BETWEEN 11 AND 13 THEN 96.0 WHEN hour(t) < 11 THEN 80.0 ELSE 5.0 END AS fill_pct
FROM range(TIMESTAMPTZ '2026-03-01 23:00:00Z', TIMESTAMPTZ '2026-03-02 23:30:00Z', INTERVAL 1 HOUR) AS r (t)"""
[[example.expect]]
subject_id = "bin"
period_start = 2026-03-02
value = 3.0
denominator = 24.0
coverage = 1.0
*/
WITH reading AS (
    SELECT a.thing_id, w.fill_pct, w.observed_at, CAST(w.observed_at AT TIME ZONE r.zone AS DATE) AS local_date, r.zone,
        least(coalesce(lead(w.observed_at) OVER (PARTITION BY a.thing_id ORDER BY w.observed_at), w.observed_at),
            w.observed_at + INTERVAL 3 HOUR,
            (CAST(w.observed_at AT TIME ZONE r.zone AS DATE) + INTERVAL 1 DAY) AT TIME ZONE r.zone) AS until
    FROM waste_container AS w
    JOIN assignments AS a ON a.device_id = w.device_id AND w.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR w.observed_at < a.valid_to)
    CROSS JOIN run AS r
    WHERE w.fill_pct IS NOT NULL AND w.quality NOT IN (4, 9)
),
day AS (
    SELECT thing_id, local_date,
        sum(epoch(until) - epoch(observed_at)) / 3600 AS known,
        coalesce(sum(epoch(until) - epoch(observed_at)) FILTER (WHERE fill_pct >= 90), 0) / 3600 AS full_hours,
        any_value(epoch((local_date + INTERVAL 1 DAY) AT TIME ZONE zone) - epoch(local_date::TIMESTAMP AT TIME ZONE zone))
            / 3600 AS hours
    FROM reading GROUP BY thing_id, local_date
)
SELECT 'thing' AS subject_kind, thing_id AS subject_id, local_date AS period_start, local_date + 1 AS period_end,
    full_hours AS value, full_hours AS numerator, known AS denominator, known / hours AS coverage, 1 AS devices, 0.0 AS estimated_share
FROM day CROSS JOIN run AS r
WHERE local_date < r.today AND known > 0
ORDER BY subject_id, period_start
