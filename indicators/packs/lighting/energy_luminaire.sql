/*
id = "lighting.energy_luminaire"
kind = "indicator"
version = 1
unit = "kW.h"
grain = "luminaire, local day"
reads = ["energy_daily", "things", "run"]
references = ["Registers by the arithmetic of docs/consumption.md"]
cadence = "night"
own = true
reach = { before = 64, after = 57 }
changes = "energy_reach"

[title]
en = "Energy of a luminaire"
sl = "Energija svetilke"

[meaning]
en = "Energy that a luminaire drew on a local day, from its register; a step across midnight is shared by time and marked estimated where it is longer than 90 minutes."
sl = "Energija, ki jo je svetilka porabila v krajevnem dnevu, iz njenega števca; razlika čez polnoč se razdeli po času in je označena kot ocena, če je daljša od 90 minut."

[[example]]
title = "A tenth of a kilowatt-hour in each hour, on the day of 25 hours"
as_of = 2026-10-26T12:00:00Z
[example.given]
things = [{ thing_id = "lamp", family = "streetlight", area_id = "east", attributes = "{}" }]
devices = [{ device_id = "d1", family = "streetlight" }]
assignments = [{ device_id = "d1", thing_id = "lamp", valid_from = "2026-01-01T00:00:00Z" }]
streetlight = """
SELECT 'd1' AS device_id, t AS observed_at, 5 + 0.1 * (row_number() OVER (ORDER BY t) - 1) AS energy_total_kwh
FROM range(TIMESTAMPTZ '2026-10-24 22:00:00Z', TIMESTAMPTZ '2026-10-26 00:00:00Z', INTERVAL 1 HOUR) AS r (t)"""
[[example.expect]]
subject_kind = "thing"
subject_id = "lamp"
period_start = 2026-10-25
value = 2.5
coverage = 1.0
estimated_share = 0.0

[[example]]
title = "The lamp is silent: no value"
as_of = 2026-10-26T12:00:00Z
[example.given]
things = [{ thing_id = "lamp", family = "streetlight", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "d1", thing_id = "lamp", valid_from = "2026-01-01T00:00:00Z" }]
*/
SELECT 'thing' AS subject_kind, e.thing_id AS subject_id, e.local_date AS period_start, e.local_date + 1 AS period_end,
    e.energy_kwh AS value, e.energy_kwh AS numerator, 1 AS denominator, e.coverage, 1 AS devices,
    CASE WHEN e.estimated THEN 1.0 ELSE 0.0 END AS estimated_share
FROM energy_daily AS e JOIN things AS t ON t.thing_id = e.thing_id AND t.family = 'streetlight'
CROSS JOIN run AS r
WHERE e.measure = 'electricity' AND e.local_date < r.today
ORDER BY subject_id, period_start
