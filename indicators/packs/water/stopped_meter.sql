/*
id = "water.stopped_meter"
kind = "detector"
version = 2
grain = "connection"
reads = ["meter_steps", "things", "run"]
references = ["A register that stands although the device reports; held against the connection's own times of absence"]
cadence = "night"
personal = true
own = true
method = "stopped_meter"
memory_days = 100

[title]
en = "Water meter stands still"
sl = "Vodomer stoji"

[meaning]
en = "The device reports, but its register has not moved for at least eight and a half days, nor for a quarter longer than the second longest absence from this connection lately. Connections that stand empty for half of the time are left out. An empty house looks the same: somebody has to ask or to look. The estimate is what the connection usually draws."
sl = "Naprava poroča, stanje pa se ni premaknilo vsaj osem dni in pol ter vsaj za četrtino dlje od druge najdaljše odsotnosti na tem priključku v zadnjem času. Priključki, ki polovico časa stojijo prazni, so izvzeti. Prazna hiša je videti enako: nekdo mora vprašati ali pogledati. Ocena je to, kar priključek navadno porabi."

[says.what]
en = "Water meter stands still"
sl = "Vodomer stoji"

[says.why]
en = "{days:.0f} days without a litre; before, {usual_lpd:.0f} L a day, and never more than {longest_before_d:.1f} days without use lately."
sl = "Že {days:.0f} dni brez litra; prej {usual_lpd:.0f} l na dan, v zadnjem času pa brez porabe največ {longest_before_d:.1f} dneva."

[says.chart]
en = "litres of each of 28 days"
sl = "litri v vsakem od 28 dni"

[[example]]
title = "A register that stops on 1 March is told within nine days"
as_of = 2026-03-12T00:00:00Z
[example.given]
things = [{ thing_id = "house", family = "water_meter", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "m1", thing_id = "house", valid_from = "2026-01-01T00:00:00Z" }]
water_meter = """
SELECT 'm1' AS device_id, t AS observed_at, 7 + sum(CASE WHEN t > TIMESTAMPTZ '2026-03-01 12:00:00Z' THEN 0 ELSE CASE WHEN hour(t) BETWEEN 7 AND 20 THEN 0.012 ELSE 0 END END) OVER (ORDER BY t) AS volume_total_m3
FROM range(TIMESTAMPTZ '2026-01-10 00:00:00Z', TIMESTAMPTZ '2026-03-12 00:00:00Z', INTERVAL 1 HOUR) AS r (t)"""
[[example.expect]]
thing_id = "house"
since = 2026-03-01T12:00:00Z
litres_per_hour = 7.0
going_on = true

[[example]]
title = "A week away is no fault"
as_of = 2026-03-12T00:00:00Z
[example.given]
things = [{ thing_id = "house", family = "water_meter", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "m1", thing_id = "house", valid_from = "2026-01-01T00:00:00Z" }]
water_meter = """
SELECT 'm1' AS device_id, t AS observed_at, 7 + sum(CASE WHEN t BETWEEN TIMESTAMPTZ '2026-03-01 12:00:00Z' AND TIMESTAMPTZ '2026-03-08 12:00:00Z' THEN 0 ELSE CASE WHEN hour(t) BETWEEN 7 AND 20 THEN 0.012 ELSE 0 END END) OVER (ORDER BY t) AS volume_total_m3
FROM range(TIMESTAMPTZ '2026-01-10 00:00:00Z', TIMESTAMPTZ '2026-03-12 00:00:00Z', INTERVAL 1 HOUR) AS r (t)"""

*/
SELECT s.thing_id AS asset, s.ends_at AS "at", s.ends_at AT TIME ZONE r.zone AS local, s.rise_m3,
    (epoch(s.ends_at) - epoch(s.starts_at)) / 3600 AS hours
FROM meter_steps AS s CROSS JOIN run AS r
