/*
id = "parking.occupancy"
kind = "indicator"
version = 1
unit = "%"
grain = "spot or car park, local day"
reads = ["parking", "assignments", "held_days", "local_days", "municipality", "run"]
references = ["Half of the day heard: a convention, unverified"]
cadence = "night"
own = true

[title]
en = "Occupancy of a parking place"
sl = "Zasedenost parkirnega mesta ali parkirišča"

[meaning]
en = "Share of the time of a local day in which a spot was taken, or the mean share of taken spots of a car park. A reading holds until the next one, three hours at most; below half of the day heard there is no value."
sl = "Delež časa krajevnega dneva, v katerem je bilo mesto zasedeno, oziroma povprečni delež zasedenih mest parkirišča. Odčitek velja do naslednjega, največ tri ure; če je slišane manj kot polovica dneva, vrednosti ni."

[[example]]
title = "Full for five of 23 hours; a sensor heard for an hour alone has no value"
as_of = 2026-03-30T12:00:00Z
[example.given]
things = """SELECT 'x' || i AS thing_id, 'parking' AS family, '{}' AS attributes FROM range(2) AS r (i)"""
assignments = "SELECT 'd' || i AS device_id, 'x' || i AS thing_id, TIMESTAMPTZ '2024-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
parking = """
SELECT 'd' || i AS device_id, t AS observed_at, CASE WHEN hour(t) BETWEEN 6 AND 10 THEN 0 ELSE 10 END AS spots_free, 10 AS spots_total
FROM range(TIMESTAMPTZ '2026-03-28 23:00:00Z', TIMESTAMPTZ '2026-03-29 22:00:00Z', INTERVAL 15 MINUTE) AS r (t), range(2) AS d (i)
WHERE i = 0 OR hour(t) = 5"""
[[example.expect]]
subject_kind = "thing"
subject_id = "x0"
period_start = 2026-03-29
value = 21.739130435
denominator = 23.0
coverage = 1.0

[[example]]
title = "A single spot, taken for six hours"
as_of = 2026-03-30T12:00:00Z
[example.given]
things = """SELECT 'x' || i AS thing_id, 'parking' AS family, '{}' AS attributes FROM range(2) AS r (i)"""
assignments = "SELECT 'd' || i AS device_id, 'x' || i AS thing_id, TIMESTAMPTZ '2024-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
parking = """
SELECT 'd' || i AS device_id, t AS observed_at, hour(t) < 12 AND hour(t) > 5 AS occupied
FROM range(TIMESTAMPTZ '2026-03-28 23:00:00Z', TIMESTAMPTZ '2026-03-29 22:00:00Z', INTERVAL 15 MINUTE) AS r (t), range(2) AS d (i)
WHERE i = 0 OR hour(t) = 5"""
[[example.expect]]
subject_kind = "thing"
subject_id = "x0"
period_start = 2026-03-29
value = 26.086956522
*/
WITH reading AS (
    SELECT a.thing_id, w.observed_at,
        CASE WHEN w.spots_total > 0 THEN greatest(0, 1.0 - w.spots_free / w.spots_total) WHEN w.occupied THEN 1.0 WHEN NOT w.occupied THEN 0.0 END AS amount
    FROM parking AS w
    JOIN assignments AS a ON a.device_id = w.device_id AND w.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR w.observed_at < a.valid_to)
    WHERE (w.spots_total > 0 AND w.spots_free IS NOT NULL OR w.occupied IS NOT NULL) AND w.quality NOT IN (4, 9)
)
SELECT 'thing' AS subject_kind, h.thing_id AS subject_id, h.local_date AS period_start, h.local_date + 1 AS period_end,
    100 * h.amount_h / h.known_h AS value, h.amount_h AS numerator, h.known_h AS denominator, h.heard_h / h.day_h AS coverage, 1 AS devices, 0.0 AS estimated_share
FROM held_days('reading', INTERVAL 3 HOUR) AS h CROSS JOIN run AS r
WHERE h.local_date < r.today AND h.known_h > 0 AND h.heard_h >= 0.5 * h.day_h
ORDER BY subject_id, period_start
