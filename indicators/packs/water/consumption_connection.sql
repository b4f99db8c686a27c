/*
id = "water.consumption_connection"
kind = "indicator"
version = 1
unit = "m3"
grain = "connection, local day"
personal = true
reads = ["consumption_daily", "run"]
cadence = "night"
reach = { before = 64, after = 57 }
own = true
changes = "consumption_reach"

[title]
en = "Water consumption of a connection"
sl = "Poraba vode na priključku"

[meaning]
en = "Water drawn through a connection on a local day, from the register of whichever meter hung there. Shared by time where a reading is missing at midnight, and marked estimated then."
sl = "Voda, odvzeta na priključku v krajevnem dnevu, iz stanja vodomera, ki je tam takrat visel. Če odčitka ob polnoči ni, se razlika razdeli po času in je označena kot ocena."

[[example]]
title = "A litre an hour for a day; today is not over yet"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = [{ thing_id = "house", family = "water_meter", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "m1", thing_id = "house", valid_from = "2026-01-01T00:00:00Z" }]
water_meter = """
SELECT 'm1' AS device_id, t AS observed_at, 7 + 0.001 * (row_number() OVER (ORDER BY t) - 1) AS volume_total_m3
FROM range(TIMESTAMPTZ '2026-03-01 23:00:00Z', TIMESTAMPTZ '2026-03-03 12:00:00Z', INTERVAL 1 HOUR) AS r (t)"""
[[example.expect]]
subject_kind = "thing"
subject_id = "house"
period_start = 2026-03-02
period_end = 2026-03-03
value = 0.024
coverage = 1.0
estimated_share = 0.0
*/
SELECT 'thing' AS subject_kind, c.thing_id AS subject_id, c.local_date AS period_start, c.local_date + 1 AS period_end,
    c.volume_m3 AS value, c.volume_m3 AS numerator, 1 AS denominator, c.coverage,
    1 AS devices, CASE WHEN c.estimated THEN 1.0 ELSE 0.0 END AS estimated_share
FROM consumption_daily AS c CROSS JOIN run AS r
WHERE c.local_date < r.today
ORDER BY subject_id, period_start
