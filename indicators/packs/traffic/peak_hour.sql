/*
id = "traffic.peak_hour"
kind = "indicator"
version = 1
unit = "{vehicle}/h"
grain = "counter, local day"
reads = ["traffic_counter", "assignments", "expected", "local_days", "run"]
references = ["Clock hours; valid day: 90 % of the intervals of the least heard channel (a convention, unverified)"]
cadence = "night"
reach = { before = 0, after = 0 }
own = true

[title]
en = "Traffic in the peak hour"
sl = "Promet v konični uri"

[meaning]
en = "Vehicles in the busiest clock hour of a local day at a counter, all lanes, directions and classes together. The denominator is the volume of the day. Only days with 90 % of the intervals of every channel count."
sl = "Vozila v najbolj obremenjeni uri krajevnega dneva na števcu, po vseh pasovih, smereh in razredih skupaj. Imenovalec je pretok dneva. Štejejo le dnevi z 90 % intervalov vsakega kanala."

[[example]]
title = "From four to five in the afternoon"
as_of = 2026-03-03T12:00:00Z
[example.given]
assignments = [{ device_id = "d1", thing_id = "bridge", valid_from = "2026-01-01T00:00:00Z" }]
traffic_counter = """
SELECT 'd1' AS device_id, lane, 'in' AS direction, 'all' AS vehicle_class, t AS observed_at, CASE WHEN hour(t) = 15 THEN 30 WHEN hour(t) BETWEEN 5 AND 14 THEN 10 ELSE 0 END + CASE WHEN hour(t) BETWEEN 18 AND 19 THEN 5 ELSE 0 END AS count, 900 AS interval_s
FROM range(TIMESTAMPTZ '2026-03-01 23:00:00Z', TIMESTAMPTZ '2026-03-02 23:00:00Z', INTERVAL 15 MINUTE) AS r (t), (VALUES ('1'), ('2')) AS l (lane)"""
[[example.expect]]
subject_kind = "thing"
subject_id = "bridge"
period_start = 2026-03-02
value = 240.0
numerator = 240.0
denominator = 1120.0

[[example]]
title = "One lane misses half of the day: no value, its peak may be the one"
as_of = 2026-03-03T12:00:00Z
[example.given]
assignments = [{ device_id = "d1", thing_id = "bridge", valid_from = "2026-01-01T00:00:00Z" }]
traffic_counter = """
SELECT 'd1' AS device_id, lane, 'in' AS direction, 'all' AS vehicle_class, t AS observed_at, 10 AS count, 900 AS interval_s
FROM range(TIMESTAMPTZ '2026-03-01 23:00:00Z', TIMESTAMPTZ '2026-03-02 23:00:00Z', INTERVAL 15 MINUTE) AS r (t), (VALUES ('1'), ('2')) AS l (lane)
WHERE lane = '1' OR t < TIMESTAMPTZ '2026-03-02 11:00:00Z'"""
*/
WITH lane_hour AS (
    SELECT a.thing_id, c.device_id, c.lane, c.direction, c.vehicle_class, time_bucket(INTERVAL 1 HOUR, c.observed_at) AS starts_at,
        sum(c.count) AS vehicles, sum(coalesce(c.interval_s, e.seconds)) AS seconds
    FROM traffic_counter AS c CROSS JOIN run AS r
    JOIN assignments AS a ON a.device_id = c.device_id AND c.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR c.observed_at < a.valid_to)
    JOIN expected AS e ON e.family = 'traffic_counter'
    WHERE c.count IS NOT NULL AND c.quality NOT IN (4, 9)
    GROUP BY a.thing_id, c.device_id, c.lane, c.direction, c.vehicle_class, starts_at
),
dated AS (
    SELECT h.*, CAST(h.starts_at AT TIME ZONE r.zone AS DATE) AS local_date FROM lane_hour AS h CROSS JOIN run AS r
),
heard AS (
    SELECT thing_id, local_date, min(seconds) AS seconds FROM (
        SELECT thing_id, local_date, device_id, lane, direction, vehicle_class, sum(seconds) AS seconds
        FROM dated GROUP BY thing_id, local_date, device_id, lane, direction, vehicle_class
    ) GROUP BY thing_id, local_date
),
hourly AS (
    SELECT thing_id, local_date, starts_at, CAST(sum(vehicles) AS BIGINT) AS vehicles
    FROM dated GROUP BY thing_id, local_date, starts_at
)
SELECT 'thing' AS subject_kind, h.thing_id AS subject_id, h.local_date AS period_start, h.local_date + 1 AS period_end,
    max(h.vehicles) AS value, max(h.vehicles) AS numerator, sum(h.vehicles) AS denominator,
    least(1, any_value(g.seconds) / (3600 * any_value(l.hours))) AS coverage, 1 AS devices, 0.0 AS estimated_share
FROM hourly AS h
JOIN heard AS g ON g.thing_id = h.thing_id AND g.local_date = h.local_date
JOIN local_days AS l ON l.local_date = h.local_date
CROSS JOIN run AS r
WHERE h.local_date < r.today AND g.seconds >= 0.9 * 3600 * l.hours
GROUP BY h.thing_id, h.local_date
HAVING sum(h.vehicles) > 0
ORDER BY subject_id, period_start
