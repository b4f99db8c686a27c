/*
id = "traffic.speed_v85"
kind = "indicator"
version = 1
unit = "km/h"
grain = "counter, local day"
reads = ["traffic_counter", "assignments", "run"]
references = ["v85: the speed that 85 % of the vehicles do not exceed"]
cadence = "night"
reach = { before = 0, after = 0 }
own = true

[title]
en = "Speed v85"
sl = "Hitrost v85"

[meaning]
en = "Speed that 85 % of the vehicles of a local day did not exceed at a counter. Where it reports v85 itself: the mean of its intervals by vehicles. Where it reports means alone: the 85th percentile of these by vehicles, which lies too low, and is marked estimated. The denominator counts the vehicles with a speed, coverage is their share of all."
sl = "Hitrost, ki je 85 % vozil v krajevnem dnevu na števcu ni preseglo. Kjer števec v85 sporoča sam: povprečje intervalov, uteženo z vozili. Kjer sporoča le povprečja: njihov 85. percentil po vozilih, ki je prenizek in označen kot ocena. Imenovalec so vozila s hitrostjo, pokritost njihov delež med vsemi."

[[example]]
title = "One counter says it itself, the other gives means: of ten vehicles, eight at 40, one at 50, one at 60"
as_of = 2026-03-03T12:00:00Z
[example.given]
assignments = "SELECT 'd' || i AS device_id, 'c' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
traffic_counter = """
SELECT 'd0' AS device_id, '1' AS lane, 'in' AS direction, 'all' AS vehicle_class, TIMESTAMPTZ '2026-03-02 10:00:00Z' + INTERVAL 15 MINUTE * i AS observed_at,
    10 * i AS count, 40.0 AS speed_mean_kmh, 50.0 + i AS speed_v85_kmh FROM range(1, 4) AS r (i)
UNION ALL
SELECT 'd1', '1', 'in', 'all', TIMESTAMPTZ '2026-03-02 10:00:00Z' + INTERVAL 15 MINUTE * i, CASE WHEN i = 0 THEN 8 ELSE 1 END, 40.0 + 10 * i, NULL
FROM range(3) AS r (i)"""
[[example.expect]]
subject_kind = "thing"
subject_id = "c0"
period_start = 2026-03-02
value = 52.333333333
denominator = 60.0
estimated_share = 0.0
[[example.expect]]
subject_id = "c1"
value = 50.0
denominator = 10.0
estimated_share = 1.0

[[example]]
title = "Vehicles without a speed: no value"
as_of = 2026-03-03T12:00:00Z
[example.given]
assignments = [{ device_id = "d1", thing_id = "bridge", valid_from = "2026-01-01T00:00:00Z" }]
traffic_counter = [{ device_id = "d1", lane = "1", direction = "in", vehicle_class = "all", observed_at = "2026-03-02T12:00:00Z", count = 5 }]
*/
WITH passed AS (
    SELECT a.thing_id, CAST(c.observed_at AT TIME ZONE r.zone AS DATE) AS local_date, c.count AS vehicles,
        c.speed_mean_kmh AS mean, c.speed_v85_kmh AS v85
    FROM traffic_counter AS c CROSS JOIN run AS r
    JOIN assignments AS a ON a.device_id = c.device_id AND c.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR c.observed_at < a.valid_to)
    WHERE c.count > 0 AND c.quality NOT IN (4, 9)
),
day AS (
    SELECT thing_id, local_date, sum(vehicles) AS vehicles, sum(vehicles) FILTER (v85 IS NOT NULL) AS told,
        sum(CAST(v85 AS DECIMAL(9, 3)) * vehicles) FILTER (v85 IS NOT NULL) AS weighted,
        sum(vehicles) FILTER (mean IS NOT NULL) AS timed
    FROM passed GROUP BY thing_id, local_date
),
ranked AS (
    SELECT p.thing_id, p.local_date, p.mean, sum(p.vehicles) OVER (PARTITION BY p.thing_id, p.local_date ORDER BY p.mean) AS upto, d.timed
    FROM passed AS p JOIN day AS d ON d.thing_id = p.thing_id AND d.local_date = p.local_date
    WHERE p.mean IS NOT NULL AND d.told IS NULL
),
guessed AS (
    SELECT thing_id, local_date, min(mean) FILTER (upto >= 0.85 * timed) AS v85 FROM ranked GROUP BY thing_id, local_date
)
SELECT 'thing' AS subject_kind, d.thing_id AS subject_id, d.local_date AS period_start, d.local_date + 1 AS period_end,
    coalesce(d.weighted / d.told, g.v85) AS value, coalesce(d.weighted / d.told, g.v85) AS numerator,
    coalesce(d.told, d.timed) AS denominator, coalesce(d.told, d.timed) / d.vehicles AS coverage, 1 AS devices,
    CASE WHEN d.told IS NULL THEN 1.0 ELSE 0.0 END AS estimated_share
FROM day AS d LEFT JOIN guessed AS g ON g.thing_id = d.thing_id AND g.local_date = d.local_date
CROSS JOIN run AS r
WHERE d.local_date < r.today AND coalesce(d.told, d.timed) > 0
ORDER BY subject_id, period_start
