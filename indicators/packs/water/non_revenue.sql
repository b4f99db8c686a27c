/*
id = "water.non_revenue"
kind = "indicator"
version = 2
unit = "%"
grain = "area and town, local day"
reads = ["water_balance", "inflow_meters", "area_tree", "municipality", "indicator_values", "run"]
needs = ["water.inflow", "water.consumption_area", "water.consumption_billed"]
references = ["IWA: non-revenue water = system input volume - billed authorised consumption, as metered", "ISO 37120:2018 23.7 water loss (number not verified)"]
cadence = "night"
reach = { before = 0, after = 0 }

[title]
en = "Non-revenue water"
sl = "Neobračunana voda"

[meaning]
en = "Share of the inflow of a district that no billed meter of a connection has counted on a local day. There is no value without an inflow, or where less than three quarters of it, or of the connections' time, were measured; what silent meters most likely drew is filled and stands in the estimated share."
sl = "Delež dotoka območja, ki ga v krajevnem dnevu ni izmeril noben obračunski vodomer na priključku. Vrednosti ni brez dotoka ali če so bile izmerjene manj kot tri četrtine dotoka ali časa priključkov; verjetna poraba za molčečimi vodomeri je zapolnjena in je v deležu ocen."

[[example]]
title = "48 m3 flow in, 12 m3 are metered, 9 of them billed"
as_of = 2026-03-03T12:00:00Z
[example.given]
indicator_values = """
SELECT 'water.' || n AS indicator, 'area' AS subject_kind, 'east' AS subject_id, DATE '2026-03-02' AS period_start, DATE '2026-03-03' AS period_end,
    v AS value, 10.0 AS denominator, 1.0 AS coverage, 3 AS devices, 0.0 AS estimated_share
FROM (VALUES ('inflow', 48.0), ('consumption_area', 12.0), ('consumption_billed', 9.0)) AS x (n, v)"""
[[example.expect]]
subject_id = "east"
period_start = 2026-03-02
value = 81.25
numerator = 39.0
denominator = 48.0
coverage = 1.0
devices = 6

[[example]]
title = "No inflow, or one of zero: no value, never 0 or 100 %"
as_of = 2026-03-03T12:00:00Z
[example.given]
indicator_values = """
SELECT 'water.' || n AS indicator, 'area' AS subject_kind, a AS subject_id, DATE '2026-03-02' AS period_start, DATE '2026-03-03' AS period_end,
    v AS value, 10.0 AS denominator, 1.0 AS coverage, 3 AS devices, 0.0 AS estimated_share
FROM (VALUES ('consumption_area', 'east', 12.0), ('consumption_billed', 'east', 9.0), ('inflow', 'west', 0.0),
    ('consumption_area', 'west', 0.0), ('consumption_billed', 'west', 0.0)) AS x (n, a, v)"""
*/
SELECT b.subject_kind, b.subject_id, b.local_date AS period_start, b.local_date + 1 AS period_end,
    100 * b.non_revenue_m3 / b.input_m3 AS value, b.non_revenue_m3 AS numerator, b.input_m3 AS denominator, b.coverage,
    b.devices, b.estimated_share
FROM water_balance AS b CROSS JOIN run AS r
WHERE b.local_date < r.today AND b.input_m3 > 0
ORDER BY subject_kind, subject_id, period_start
