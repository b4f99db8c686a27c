/*
id = "traffic.daily_volume"
kind = "indicator"
version = 1
unit = "{vehicle}"
grain = "counter, local day"
reads = ["traffic_counter", "assignments", "run", "expected"]
cadence = "night"
own = true

[title]
en = "Daily traffic volume"
sl = "Dnevni prometni pretok"

[meaning]
en = "Vehicles counted at a counter on a local day, all lanes, directions and classes together. Coverage is the share of the day's intervals that its least heard channel reported; below 0.9 the day is no valid day for an annual mean."
sl = "Vozila, prešteta na števcu v krajevnem dnevu, po vseh pasovih, smereh in razredih skupaj. Pokritost je delež intervalov dneva, ki jih je sporočil najmanj slišani kanal; pod 0,9 dan ne šteje za letno povprečje."

[[example]]
title = "Two lanes; one misses half of the day"
as_of = 2026-03-03T12:00:00Z
[example.given]
assignments = [{ device_id = "d1", thing_id = "bridge", valid_from = "2026-01-01T00:00:00Z" }]
traffic_counter = """
SELECT 'd1' AS device_id, lane, 'in' AS direction, 'all' AS vehicle_class, t AS observed_at, 10 AS count, 900 AS interval_s
FROM range(TIMESTAMPTZ '2026-03-01 23:00:00Z', TIMESTAMPTZ '2026-03-02 23:00:00Z', INTERVAL 15 MINUTE) AS r (t), (VALUES ('1'), ('2')) AS l (lane)
WHERE lane = '1' OR hour(t) < 12 AND t > TIMESTAMPTZ '2026-03-02 00:00:00Z' - INTERVAL 1 SECOND"""
[[example.expect]]
subject_id = "bridge"
period_start = 2026-03-02
value = 1440.0
denominator = 1.0
coverage = 0.5
*/
WITH channel AS (
    SELECT a.thing_id, c.device_id, c.lane, c.direction, c.vehicle_class,
        CAST(c.observed_at AT TIME ZONE r.zone AS DATE) AS local_date, r.zone, r.today,
        sum(c.count) AS vehicles, sum(coalesce(c.interval_s, e.seconds)) AS seconds
    FROM traffic_counter AS c
    JOIN assignments AS a ON a.device_id = c.device_id AND c.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR c.observed_at < a.valid_to)
    CROSS JOIN run AS r
    JOIN expected AS e ON e.family = 'traffic_counter'
    WHERE c.count IS NOT NULL AND c.quality NOT IN (4, 9)
    GROUP BY ALL
)
SELECT 'thing' AS subject_kind, thing_id AS subject_id, local_date AS period_start, local_date + 1 AS period_end,
    sum(vehicles) AS value, sum(vehicles) AS numerator, 1 AS denominator,
    least(1, min(seconds) / any_value(epoch((local_date + INTERVAL 1 DAY) AT TIME ZONE zone)
        - epoch(local_date::TIMESTAMP AT TIME ZONE zone))) AS coverage,
    count(DISTINCT device_id) AS devices, 0.0 AS estimated_share
FROM channel
WHERE local_date < today
GROUP BY thing_id, local_date
ORDER BY subject_id, period_start
