/*
id = "parking.turnover"
kind = "indicator"
version = 1
unit = "{vehicle}"
grain = "spot, local day"
reads = ["parking", "assignments", "held_days", "local_days", "municipality", "run"]
references = ["Half of the day heard: a convention, unverified"]
cadence = "night"
own = true

[title]
en = "Vehicles that came to a parking spot"
sl = "Vozila, ki so pripeljala na parkirno mesto"

[meaning]
en = "How often a spot became taken on a local day: a reading that says taken behind one, three hours old at most, that says free. A vehicle that follows another between two readings is not seen. The denominator is the time heard; below half of the day there is no value."
sl = "Kolikokrat je mesto v krajevnem dnevu postalo zasedeno: odčitek zasedeno za največ tri ure starim odčitkom prosto. Vozila, ki zamenja drugo med dvema odčitkoma, ni videti. Imenovalec je slišani čas; pod polovico dneva vrednosti ni."

[[example]]
title = "Three came, the last at midnight local time: that one is of the next day"
as_of = 2026-03-30T12:00:00Z
[example.given]
things = """SELECT 'x' || i AS thing_id, 'parking' AS family, '{}' AS attributes FROM range(2) AS r (i)"""
assignments = "SELECT 'd' || i AS device_id, 'x' || i AS thing_id, TIMESTAMPTZ '2024-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
parking = """
SELECT 'd' || i AS device_id, t AS observed_at, hour(t) IN (6, 7, 10, 22) AS occupied
FROM range(TIMESTAMPTZ '2026-03-28 23:00:00Z', TIMESTAMPTZ '2026-03-29 22:00:00Z', INTERVAL 15 MINUTE) AS r (t), range(2) AS d (i)
WHERE i = 0 OR hour(t) = 5"""
[[example.expect]]
subject_kind = "thing"
subject_id = "x0"
period_start = 2026-03-29
value = 2.0
denominator = 23.0
*/
WITH reading AS (
    SELECT a.thing_id, w.observed_at, CASE WHEN w.occupied THEN 1.0 ELSE 0.0 END AS amount,
        lag(w.occupied) OVER v = false AND w.occupied AND w.observed_at - lag(w.observed_at) OVER v <= INTERVAL 3 HOUR AS came,
        CAST(w.observed_at AT TIME ZONE r.zone AS DATE) AS local_date
    FROM parking AS w CROSS JOIN run AS r
    JOIN assignments AS a ON a.device_id = w.device_id AND w.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR w.observed_at < a.valid_to)
    WHERE w.occupied IS NOT NULL AND w.quality NOT IN (4, 9)
    WINDOW v AS (PARTITION BY a.thing_id ORDER BY w.observed_at)
),
arrivals AS (
    SELECT thing_id, local_date, count(*) FILTER (came) AS vehicles FROM reading GROUP BY thing_id, local_date
)
SELECT 'thing' AS subject_kind, h.thing_id AS subject_id, h.local_date AS period_start, h.local_date + 1 AS period_end,
    coalesce(c.vehicles, 0) AS value, coalesce(c.vehicles, 0) AS numerator, h.known_h AS denominator, h.heard_h / h.day_h AS coverage,
    1 AS devices, 0.0 AS estimated_share
FROM held_days('reading', INTERVAL 3 HOUR) AS h
LEFT JOIN arrivals AS c ON c.thing_id = h.thing_id AND c.local_date = h.local_date
CROSS JOIN run AS r
WHERE h.local_date < r.today AND h.heard_h >= 0.5 * h.day_h
ORDER BY subject_id, period_start
