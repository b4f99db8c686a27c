/*
id = "water.consumption_area"
kind = "indicator"
version = 1
unit = "m3"
grain = "area, local day"
reads = ["consumption_daily", "things", "assignments", "run"]
cadence = "night"

[title]
en = "Metered water consumption of an area"
sl = "Izmerjena poraba vode na območju"

[meaning]
en = "Water drawn through all metered connections of an area on a local day. The denominator counts the connections that had a meter; coverage is the share of their day that readings account for."
sl = "Voda, odvzeta na vseh priključkih z vodomerom na območju v krajevnem dnevu. Imenovalec šteje priključke, ki so imeli vodomer; pokritost je delež njihovega dneva, ki ga odčitki pojasnijo."

[[example]]
title = "Two connections, one of them silent: the sum of what is known, and half the coverage"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = [{ thing_id = "h1", family = "water_meter", area_id = "east", attributes = "{}" }, { thing_id = "h2", family = "water_meter", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "m1", thing_id = "h1", valid_from = "2026-01-01T00:00:00Z" }, { device_id = "m2", thing_id = "h2", valid_from = "2026-01-01T00:00:00Z" }]
water_meter = """
SELECT 'm1' AS device_id, t AS observed_at, 7 + 0.001 * (row_number() OVER (ORDER BY t) - 1) AS volume_total_m3
FROM range(TIMESTAMPTZ '2026-03-01 23:00:00Z', TIMESTAMPTZ '2026-03-03 12:00:00Z', INTERVAL 1 HOUR) AS r (t)"""
[[example.expect]]
subject_id = "east"
period_start = 2026-03-02
value = 0.024
denominator = 2.0
coverage = 0.5
devices = 1
*/
WITH day AS (
    SELECT DISTINCT c.local_date, (c.local_date::TIMESTAMP) AT TIME ZONE r.zone AS starts_at,
        (c.local_date::TIMESTAMP + INTERVAL 1 DAY) AT TIME ZONE r.zone AS ends_at
    FROM consumption_daily AS c CROSS JOIN run AS r
    WHERE c.local_date < r.today
),
connection AS (
    SELECT DISTINCT d.local_date, t.area_id, t.thing_id
    FROM day AS d
    JOIN assignments AS a ON a.valid_from < d.ends_at AND (a.valid_to IS NULL OR a.valid_to > d.starts_at)
    JOIN things AS t ON t.thing_id = a.thing_id AND t.family = 'water_meter' AND t.area_id IS NOT NULL
)
SELECT 'area' AS subject_kind, n.area_id AS subject_id, n.local_date AS period_start, n.local_date + 1 AS period_end,
    sum(c.volume_m3) AS value, sum(c.volume_m3) AS numerator, count(*) AS denominator,
    sum(coalesce(c.coverage, 0)) / count(*) AS coverage, count(c.volume_m3) AS devices,
    coalesce(sum(CASE WHEN c.estimated THEN c.volume_m3 ELSE 0 END) / nullif(sum(c.volume_m3), 0), 0) AS estimated_share
FROM connection AS n
LEFT JOIN consumption_daily AS c ON c.thing_id = n.thing_id AND c.local_date = n.local_date
GROUP BY n.area_id, n.local_date
HAVING count(c.volume_m3) > 0
ORDER BY subject_id, period_start
