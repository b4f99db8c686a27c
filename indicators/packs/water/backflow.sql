/*
id = "water.backflow"
kind = "detector"
version = 1
grain = "connection"
reads = ["meter_steps", "things", "run"]
references = ["EN 1717: water must not flow back into the mains; a falling register shows it"]
cadence = "hour"
personal = true
own = true
method = "backflow"
memory_days = 14

[title]
en = "Water flows back through a meter"
sl = "Voda teče nazaj skozi vodomer"

[meaning]
en = "The register has fallen by at least 15 litres within a day, step by step, by no more than can flow. Crossed telegrams of two readers, another meter's telegram and the swing of a few litres when pressure or temperature changes are told apart. Water that flows back can foul the mains: the check valve is to be looked at."
sl = "Stanje se je v enem dnevu zmanjšalo za vsaj 15 litrov, korak za korakom, za največ toliko, kolikor lahko steče. Prekrižana sporočila dveh čitalcev, sporočilo drugega vodomera in nihanje nekaj litrov ob spremembi tlaka ali temperature se ločijo. Voda, ki teče nazaj, lahko onesnaži vodovod: pregledati je treba nepovratni ventil."

[says.what]
en = "Water flows back through a meter"
sl = "Voda teče nazaj skozi vodomer"

[says.why]
en = "{litres:.0f} L back in {steps} steps of the register."
sl = "{litres:.0f} l nazaj; število padcev stanja: {steps}."

[says.chart]
en = "litres from reading to reading; below zero back"
sl = "litri od odčitka do odčitka; pod ničlo nazaj"

[[example]]
title = "60 litres flow back in an hour of the night"
as_of = 2026-03-10T12:00:00Z
[example.given]
things = [{ thing_id = "house", family = "water_meter", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "m1", thing_id = "house", valid_from = "2026-01-01T00:00:00Z" }]
water_meter = """
SELECT 'm1' AS device_id, t AS observed_at, 7 + sum(CASE WHEN hour(t) BETWEEN 7 AND 20 THEN 0.012 ELSE 0 END
    - CASE WHEN t = TIMESTAMPTZ '2026-03-10 02:00:00Z' THEN 0.060 ELSE 0 END) OVER (ORDER BY t) AS volume_total_m3
FROM range(TIMESTAMPTZ '2026-03-01 00:00:00Z', TIMESTAMPTZ '2026-03-10 12:00:00Z', INTERVAL 1 HOUR) AS r (t)"""
[[example.expect]]
thing_id = "house"
since = 2026-03-10T01:00:00Z
litres_per_hour = 60.0
volume_m3 = 0.06
going_on = true

[[example]]
title = "Two litres that swing back are no backflow"
as_of = 2026-03-10T12:00:00Z
[example.given]
things = [{ thing_id = "house", family = "water_meter", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "m1", thing_id = "house", valid_from = "2026-01-01T00:00:00Z" }]
water_meter = """
SELECT 'm1' AS device_id, t AS observed_at, 7 + sum(CASE WHEN hour(t) BETWEEN 7 AND 20 THEN 0.012 ELSE 0 END
    - CASE WHEN t = TIMESTAMPTZ '2026-03-10 02:00:00Z' THEN 0.002 ELSE 0 END) OVER (ORDER BY t) AS volume_total_m3
FROM range(TIMESTAMPTZ '2026-03-01 00:00:00Z', TIMESTAMPTZ '2026-03-10 12:00:00Z', INTERVAL 1 HOUR) AS r (t)"""

*/
SELECT s.thing_id AS asset, s.ends_at AS "at", s.ends_at AT TIME ZONE r.zone AS local, s.rise_m3,
    (epoch(s.ends_at) - epoch(s.starts_at)) / 3600 AS hours
FROM meter_steps AS s CROSS JOIN run AS r
