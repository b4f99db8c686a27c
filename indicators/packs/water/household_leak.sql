/*
id = "water.household_leak"
kind = "detector"
version = 3
grain = "connection"
reads = ["meter_steps", "things", "run"]
references = ["Continuous flow: no hour without use for a day, the rule of most AMI vendors; held here against the connection's own hours of rest and flows"]
cadence = "hour"
personal = true
own = true
method = "household_leak"
memory_days = 63

[title]
en = "Leak behind a water meter"
sl = "Puščanje za vodomerom"

[meaning]
en = "At hours at which this connection would rest, its flow comes back to the same lowest value. Each such hour says as much as the connection used to rest at that hour of the day more often than it used to show just this flow; four or more of them have to say enough together. Flows of 50 L/h or more may be a garden or a cistern, and have to run for eleven hours. A connection that never rests is held against its lowest flow of the last four weeks. Another such run within a week is the same leak. The leak is the lowest hour."
sl = "Ob urah, ob katerih bi ta priključek počival, se pretok vrača k isti najnižji vrednosti. Vsaka taka ura pove toliko, kolikor pogosteje je priključek prej ob tej uri dneva počival, kot kazal prav ta pretok; vsaj štiri morajo skupaj povedati dovolj. Pretoki od 50 l/h so lahko vrt ali vodnjak in morajo teči enajst ur. Priključek, ki nikoli ne počiva, se primerja s svojim najnižjim pretokom zadnjih štirih tednov. Novo tako obdobje v enem tednu je isto puščanje. Puščanje je najnižja ura."

[says.what]
en = "Leak behind a water meter"
sl = "Puščanje za vodomerom"

[says.why]
en = "Noticed after {hours:.0f} h, of which none was under {lowest_lph:.0f} L/h. Before, {zero_share:.0%} of all hours were without use."
sl = "Opaženo po {hours:.0f} h, v katerih pretok nikoli ni bil pod {lowest_lph:.0f} l/h. Prej je bilo brez porabe {zero_share:.0%} vseh ur."

[says.chart]
en = "litres an hour in the last three days"
sl = "litri na uro v zadnjih treh dneh"

[[example]]
title = "A house that rests at night begins to draw 20 L/h around the clock"
as_of = 2026-03-14T00:00:00Z
[example.given]
things = [{ thing_id = "house", family = "water_meter", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "m1", thing_id = "house", valid_from = "2026-01-01T00:00:00Z" }]
water_meter = """
SELECT 'm1' AS device_id, t AS observed_at, 7 + sum(CASE WHEN hour(t) BETWEEN 7 AND 20 THEN 0.012 ELSE 0 END
    + CASE WHEN t > TIMESTAMPTZ '2026-03-10 05:00:00Z' THEN 0.020 ELSE 0 END) OVER (ORDER BY t) AS volume_total_m3
FROM range(TIMESTAMPTZ '2026-02-20 00:00:00Z', TIMESTAMPTZ '2026-03-14 00:00:00Z', INTERVAL 1 HOUR) AS r (t)"""
[[example.expect]]
thing_id = "house"
since = 2026-03-10T05:00:00Z
litres_per_hour = 20.0
volume_m3 = 1.8
going_on = true

[[example]]
title = "A bakery that never rests is no leak"
as_of = 2026-03-14T00:00:00Z
[example.given]
things = [{ thing_id = "house", family = "water_meter", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "m1", thing_id = "house", valid_from = "2026-01-01T00:00:00Z" }]
water_meter = """
SELECT 'm1' AS device_id, t AS observed_at, 7 + sum(CASE WHEN dayofweek(t) > 0 OR hour(t) > 3 THEN 0.1 ELSE 0 END) OVER (ORDER BY t) AS volume_total_m3
FROM range(TIMESTAMPTZ '2026-02-01 00:00:00Z', TIMESTAMPTZ '2026-03-14 00:00:00Z', INTERVAL 1 HOUR) AS r (t)"""

*/
SELECT s.thing_id AS asset, s.ends_at AS "at", s.ends_at AT TIME ZONE r.zone AS local, s.rise_m3,
    (epoch(s.ends_at) - epoch(s.starts_at)) / 3600 AS hours
FROM meter_steps AS s CROSS JOIN run AS r
