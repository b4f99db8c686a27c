/*
id = "water.losses_connection"
kind = "indicator"
version = 1
unit = "L/d"
grain = "area and town, local day"
reads = ["water_balance", "inflow_meters", "area_tree", "municipality", "indicator_values", "run"]
needs = ["water.inflow", "water.consumption_area", "water.consumption_billed"]
references = ["IWA performance indicator: losses in litres per connection and day"]
cadence = "night"
reach = { before = 0, after = 0 }

[title]
en = "Water losses per connection"
sl = "Vodne izgube na priključek"

[meaning]
en = "Water losses of a local day (inflow minus metered consumption) in litres per connection with a meter."
sl = "Vodne izgube krajevnega dneva (dotok minus izmerjena poraba) v litrih na priključek z vodomerom."

[[example]]
title = "36 m3 over 60 connections"
as_of = 2026-03-03T12:00:00Z
[example.given]
indicator_values = """
SELECT 'water.' || n AS indicator, 'area' AS subject_kind, 'east' AS subject_id, DATE '2026-03-02' AS period_start, DATE '2026-03-03' AS period_end,
    v AS value, 60.0 AS denominator, 1.0 AS coverage, 3 AS devices, 0.0 AS estimated_share
FROM (VALUES ('inflow', 48.0), ('consumption_area', 12.0), ('consumption_billed', 12.0)) AS x (n, v)"""
[[example.expect]]
subject_id = "east"
period_start = 2026-03-02
value = 600.0
numerator = 36000.0
denominator = 60.0

[[example]]
title = "No connection has a meter: no value"
as_of = 2026-03-03T12:00:00Z
[example.given]
indicator_values = [{ indicator = "water.inflow", subject_kind = "area", subject_id = "east", period_start = "2026-03-02", period_end = "2026-03-03", value = 48.0, coverage = 1.0 }]
*/
SELECT b.subject_kind, b.subject_id, b.local_date AS period_start, b.local_date + 1 AS period_end,
    1000 * b.losses_m3 / b.connections AS value, 1000 * b.losses_m3 AS numerator, b.connections AS denominator, b.coverage,
    b.devices, b.estimated_share
FROM water_balance AS b CROSS JOIN run AS r
WHERE b.local_date < r.today AND b.connections > 0
ORDER BY subject_kind, subject_id, period_start
