/*
id = "traffic.bicycle_proxy"
kind = "indicator"
version = 1
unit = "%"
grain = "counter and town, local day"
reads = ["traffic_counter", "assignments", "municipality", "run"]
references = ["Proxy for Maribor M05, the share of cycling in the modal mix, which only a survey gives"]
cadence = "night"
reach = { before = 0, after = 0 }

[title]
en = "Bicycles among counted vehicles (proxy for cycling)"
sl = "Kolesa med preštetimi vozili (približek za kolesarjenje)"

[meaning]
en = "Share of bicycles among all that passed the counters that tell bicycles apart on a local day. A proxy: it speaks of these places and of vehicles, not of people and their trips, and is no share of cycling in the modal mix."
sl = "Delež koles med vsem, kar je v krajevnem dnevu prešlo števce, ki kolesa ločijo. Približek: govori o teh mestih in vozilih, ne o ljudeh in njihovih poteh, in ni delež kolesarjenja v prometni mešanici."

[[example]]
title = "One counter tells bicycles apart, the other counts all alike"
as_of = 2026-03-03T12:00:00Z
[example.given]
assignments = "SELECT 'd' || i AS device_id, 'c' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
traffic_counter = """
SELECT 'd' || d AS device_id, '1' AS lane, 'in' AS direction, k AS vehicle_class, TIMESTAMPTZ '2026-03-02 10:00:00Z' AS observed_at, n AS count
FROM (VALUES (0, 'car', 60), (0, 'bicycle', 20), (1, 'all', 500)) AS x (d, k, n)"""
[[example.expect]]
subject_kind = "municipality"
subject_id = "town"
period_start = 2026-03-02
value = 25.0
denominator = 80.0
[[example.expect]]
subject_kind = "thing"
subject_id = "c0"
value = 25.0
numerator = 20.0
denominator = 80.0

[[example]]
title = "No counter tells them apart: no value"
as_of = 2026-03-03T12:00:00Z
[example.given]
assignments = [{ device_id = "d1", thing_id = "bridge", valid_from = "2026-01-01T00:00:00Z" }]
traffic_counter = [{ device_id = "d1", lane = "1", direction = "in", vehicle_class = "all", observed_at = "2026-03-02T12:00:00Z", count = 5 }]
*/
WITH day AS (
    SELECT a.thing_id, CAST(c.observed_at AT TIME ZONE r.zone AS DATE) AS local_date, CAST(sum(c.count) AS BIGINT) AS passed,
        CAST(sum(c.count) FILTER (lower(c.vehicle_class) IN ('bicycle', 'bike', 'cyclist', 'kolo')) AS BIGINT) AS bicycles
    FROM traffic_counter AS c CROSS JOIN run AS r
    JOIN assignments AS a ON a.device_id = c.device_id AND c.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR c.observed_at < a.valid_to)
    WHERE c.count IS NOT NULL AND c.quality NOT IN (4, 9)
    GROUP BY a.thing_id, local_date
),
place AS (
    SELECT 'thing' AS subject_kind, thing_id AS subject_id, * FROM day
    UNION ALL
    SELECT 'municipality', m.name, d.* FROM day AS d CROSS JOIN municipality AS m
)
SELECT p.subject_kind, p.subject_id, p.local_date AS period_start, p.local_date + 1 AS period_end,
    100 * sum(p.bicycles) / sum(p.passed) AS value, sum(p.bicycles) AS numerator, sum(p.passed) AS denominator,
    1.0 AS coverage, count(*) AS devices, 0.0 AS estimated_share
FROM place AS p CROSS JOIN run AS r
WHERE p.bicycles IS NOT NULL AND p.local_date < r.today
GROUP BY p.subject_kind, p.subject_id, p.local_date
HAVING sum(p.passed) > 0
ORDER BY subject_kind, subject_id, period_start
