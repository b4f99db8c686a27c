/*
id = "parking.full_hours"
kind = "indicator"
version = 1
unit = "h"
grain = "car park, local day"
reads = ["parking", "assignments", "held_days", "local_days", "municipality", "run"]
references = ["Half of the day heard: a convention, unverified"]
cadence = "night"
own = true

[title]
en = "Hours without a free spot"
sl = "Ure brez prostega mesta"

[meaning]
en = "Hours of a local day in which a car park had no free spot. A reading holds until the next one, three hours at most; below half of the day heard there is no value."
sl = "Ure krajevnega dneva, v katerih parkirišče ni imelo prostega mesta. Odčitek velja do naslednjega, največ tri ure; če je slišane manj kot polovica dneva, vrednosti ni."

[[example]]
title = "Full for five of 23 hours"
as_of = 2026-03-30T12:00:00Z
[example.given]
things = """SELECT 'x' || i AS thing_id, 'parking' AS family, '{}' AS attributes FROM range(2) AS r (i)"""
assignments = "SELECT 'd' || i AS device_id, 'x' || i AS thing_id, TIMESTAMPTZ '2024-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
parking = """
SELECT 'd' || i AS device_id, t AS observed_at, CASE WHEN hour(t) BETWEEN 6 AND 10 THEN 0 ELSE 1 END AS spots_free, 10 AS spots_total
FROM range(TIMESTAMPTZ '2026-03-28 23:00:00Z', TIMESTAMPTZ '2026-03-29 22:00:00Z', INTERVAL 15 MINUTE) AS r (t), range(2) AS d (i)
WHERE i = 0 OR hour(t) = 5"""
[[example.expect]]
subject_kind = "thing"
subject_id = "x0"
period_start = 2026-03-29
value = 5.0
denominator = 23.0
*/
WITH reading AS (
    SELECT a.thing_id, w.observed_at,
        CASE WHEN w.spots_free = 0 THEN 1.0 ELSE 0.0 END AS amount
    FROM parking AS w
    JOIN assignments AS a ON a.device_id = w.device_id AND w.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR w.observed_at < a.valid_to)
    WHERE w.spots_free IS NOT NULL AND w.quality NOT IN (4, 9)
)
SELECT 'thing' AS subject_kind, h.thing_id AS subject_id, h.local_date AS period_start, h.local_date + 1 AS period_end,
    h.amount_h AS value, h.amount_h AS numerator, h.known_h AS denominator, h.heard_h / h.day_h AS coverage, 1 AS devices, 0.0 AS estimated_share
FROM held_days('reading', INTERVAL 3 HOUR) AS h CROSS JOIN run AS r
WHERE h.local_date < r.today AND h.known_h > 0 AND h.heard_h >= 0.5 * h.day_h
ORDER BY subject_id, period_start
