/*
id = "buildings.heat"
kind = "indicator"
version = 1
unit = "kW.h"
grain = "building, local day"
personal = true
reads = ["energy_daily", "things", "run"]
references = ["Registers by the arithmetic of docs/consumption.md"]
cadence = "night"
own = true
reach = { before = 64, after = 57 }
changes = "energy_reach"

[title]
en = "Heat of a building"
sl = "Toplota stavbe"

[meaning]
en = "Heat that a building drew on a local day, from its register; a step across midnight is shared by time and marked estimated where it is long."
sl = "Toplota, ki jo je stavba porabila v krajevnem dnevu, iz njenega števca; razlika čez polnoč se razdeli po času in je označena kot ocena, če je dolga."

[[example]]
title = "A kilowatt-hour in each hour, on the day of 25 hours; a silent building has no value"
as_of = 2026-10-26T12:00:00Z
[example.given]
things = "SELECT 'x' || i AS thing_id, 'building_energy' AS family, 'east' AS area_id, '{}' AS attributes FROM range(2) AS r (i)"
assignments = "SELECT 'd' || i AS device_id, 'x' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
building_energy = """
SELECT 'd0' AS device_id, t AS observed_at, 5 + 1.0 * (row_number() OVER (ORDER BY t) - 1) AS heat_total_kwh
FROM range(TIMESTAMPTZ '2026-10-24 22:00:00Z', TIMESTAMPTZ '2026-10-26 00:00:00Z', INTERVAL 1 HOUR) AS r (t)"""
[[example.expect]]
subject_kind = "thing"
subject_id = "x0"
period_start = 2026-10-25
value = 25.0
coverage = 1.0
estimated_share = 0.0
*/
SELECT 'thing' AS subject_kind, e.thing_id AS subject_id, e.local_date AS period_start, e.local_date + 1 AS period_end,
    e.energy_kwh AS value, e.energy_kwh AS numerator, 1 AS denominator, e.coverage, 1 AS devices,
    CASE WHEN e.estimated THEN 1.0 ELSE 0.0 END AS estimated_share
FROM energy_daily AS e JOIN things AS t ON t.thing_id = e.thing_id AND t.family IN ('building_energy', 'heat_meter')
CROSS JOIN run AS r
WHERE e.measure = 'heat' AND e.local_date < r.today
ORDER BY subject_id, period_start
