/*
id = "water.non_revenue"
kind = "indicator"
version = 1
unit = "%"
grain = "area, local day"
reads = ["inflow", "consumption_daily", "things", "run"]
references = ["Non-revenue water: (system input - billed authorised consumption) / system input; metered stands for billed here"]
cadence = "night"

[title]
en = "Non-revenue water"
sl = "Neobračunana voda"

[meaning]
en = "Share of the inflow of a district that no meter of a connection has counted on a local day. Connections without a remote meter make it look larger: see coverage and devices."
sl = "Delež dotoka območja, ki ga v krajevnem dnevu ni izmeril noben vodomer na priključku. Priključki brez daljinskega vodomera ga navidezno povečajo: glej pokritost in število naprav."

[[example]]
title = "2 m3/h flow in, 0.5 m3/h are metered"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = [{ thing_id = "shaft", family = "district_meter", area_id = "east", attributes = "{}" }, { thing_id = "house", family = "water_meter", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "d1", thing_id = "shaft", valid_from = "2026-01-01T00:00:00Z" }, { device_id = "m1", thing_id = "house", valid_from = "2026-01-01T00:00:00Z" }]
district_meter = """
SELECT 'd1' AS device_id, t AS observed_at, 2.0 AS flow_m3h
FROM range(TIMESTAMPTZ '2026-03-01 23:00:00Z', TIMESTAMPTZ '2026-03-02 23:00:00Z', INTERVAL 15 MINUTE) AS r (t)"""
water_meter = """
SELECT 'm1' AS device_id, t AS observed_at, 0.5 * (row_number() OVER (ORDER BY t) - 1) AS volume_total_m3
FROM range(TIMESTAMPTZ '2026-03-01 23:00:00Z', TIMESTAMPTZ '2026-03-03 00:00:00Z', INTERVAL 1 HOUR) AS r (t)"""
[[example.expect]]
subject_id = "east"
period_start = 2026-03-02
value = 75.0
numerator = 36.0
denominator = 48.0
coverage = 1.0
devices = 2

[[example]]
title = "No inflow measured: no value"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = [{ thing_id = "house", family = "water_meter", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "m1", thing_id = "house", valid_from = "2026-01-01T00:00:00Z" }]
water_meter = """
SELECT 'm1' AS device_id, t AS observed_at, 0.5 * (row_number() OVER (ORDER BY t) - 1) AS volume_total_m3
FROM range(TIMESTAMPTZ '2026-03-01 23:00:00Z', TIMESTAMPTZ '2026-03-03 00:00:00Z', INTERVAL 1 HOUR) AS r (t)"""
*/
WITH slot AS (
    SELECT i.area_id, i.flow_m3h, i.expected, r.zone, CAST(i.starts_at AT TIME ZONE r.zone AS DATE) AS local_date
    FROM inflow AS i CROSS JOIN run AS r
    WHERE i.meters = i.expected
),
inflow_day AS (
    SELECT area_id, local_date, max(expected) AS meters,
        any_value(epoch((local_date + INTERVAL 1 DAY) AT TIME ZONE zone) - epoch(local_date::TIMESTAMP AT TIME ZONE zone)) / 900
            AS day_slots,
        count(*) / day_slots AS coverage, avg(flow_m3h) * day_slots / 4 AS volume_m3
    FROM slot GROUP BY area_id, local_date
),
metered AS (
    SELECT t.area_id, c.local_date, sum(c.volume_m3) AS volume_m3, count(*) AS meters, avg(c.coverage) AS coverage,
        coalesce(sum(CASE WHEN c.estimated THEN c.volume_m3 ELSE 0 END) / nullif(sum(c.volume_m3), 0), 0) AS estimated
    FROM consumption_daily AS c JOIN things AS t ON t.thing_id = c.thing_id
    GROUP BY t.area_id, c.local_date
)
SELECT 'area' AS subject_kind, i.area_id AS subject_id, i.local_date AS period_start, i.local_date + 1 AS period_end,
    100 * (i.volume_m3 - m.volume_m3) / i.volume_m3 AS value, i.volume_m3 - m.volume_m3 AS numerator, i.volume_m3 AS denominator,
    least(i.coverage, m.coverage) AS coverage, i.meters + m.meters AS devices, m.estimated AS estimated_share
FROM inflow_day AS i
JOIN metered AS m ON m.area_id = i.area_id AND m.local_date = i.local_date
CROSS JOIN run AS r
WHERE i.local_date < r.today AND i.coverage >= 0.75 AND i.volume_m3 > 0
ORDER BY subject_id, period_start
