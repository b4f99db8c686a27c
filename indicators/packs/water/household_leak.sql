/*
id = "water.household_leak"
kind = "detector"
version = 2
grain = "connection"
reads = ["meter_steps", "things", "run"]
references = ["Continuous flow: no hour without use for a day, the rule of most AMI vendors; held here against the connection's own hours of rest"]
cadence = "hour"
personal = true
method = "household_leak"
memory_days = 63

[title]
en = "Leak behind a water meter"
sl = "Puščanje za vodomerom"

[meaning]
en = "Water runs through a connection without rest at hours at which it usually rests, and the lowest hours come back to the same flow. How much that says is measured by how often this connection rested at each hour of the day before; one that often runs through a day without a leak has to do so for longer. A connection that never rests is held against its lowest flow of the last four weeks. Another such run within a week is the same leak. The leak is the lowest hour."
sl = "Skozi priključek teče voda brez premora ob urah, ob katerih navadno počiva, najnižje ure pa se vračajo k istemu pretoku. Koliko to pove, se meri po tem, kako pogosto je ta priključek prej počival ob posamezni uri dneva; tisti, ki tudi brez puščanja pogosto teče ves dan, mora teči dlje. Priključek, ki nikoli ne počiva, se primerja s svojim najnižjim pretokom zadnjih štirih tednov. Novo tako obdobje v enem tednu je isto puščanje. Puščanje je najnižja ura."

[says.what]
en = "Leak behind a water meter"
sl = "Puščanje za vodomerom"

[says.why]
en = "Noticed after {hours:.0f} h without an hour of rest, never under {lowest_lph:.0f} L/h. Before, {zero_share:.0%} of all hours were without use."
sl = "Opaženo po {hours:.0f} h brez ene same ure premora, nikoli pod {lowest_lph:.0f} l/h. Prej je bilo brez porabe {zero_share:.0%} vseh ur."

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
WHERE s.ends_at > r.as_of - INTERVAL 63 DAY
