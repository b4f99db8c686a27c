/*
id = "water.bypass"
kind = "detector"
version = 1
grain = "connection"
reads = ["meter_steps", "things", "run"]
references = ["A fraction of the usual volume at the usual number of hours; an empty house has hours without use"]
cadence = "night"
personal = true
method = "bypass"
memory_days = 63

[title]
en = "Water drawn past the meter"
sl = "Odvzem vode mimo vodomera"

[meaning]
en = "For three or four days the register shows at most 30 % of the usual volume, at most hours at which there usually is use, and no draw as large as usual. A bypass takes most of every draw, an empty house has no draws. Somebody has to look; a household that lives very differently for some days looks the same. The estimate is what is missing in three days."
sl = "Tri ali štiri dni stanje pokaže največ 30 % običajne porabe, in to ob večini ur, ob katerih navadno je poraba, brez običajno velikega odvzema. Obvod vzame večino vsakega odvzema, prazna hiša pa odvzemov nima. Nekdo mora pogledati; gospodinjstvo, ki nekaj dni živi zelo drugače, je videti enako. Ocena je to, kar v treh dneh manjka."

[says.what]
en = "Water drawn past the meter"
sl = "Odvzem vode mimo vodomera"

[says.why]
en = "{now_lpd:.0f} L a day where {usual_lpd:.0f} L are usual ({share:.0%}), at the usual hours."
sl = "{now_lpd:.0f} l na dan, običajno {usual_lpd:.0f} l ({share:.0%}), ob običajnih urah."

[says.chart]
en = "litres of each of 28 days"
sl = "litri v vsakem od 28 dni"

[[example]]
title = "From 1 March on one part in twelve passes the meter"
as_of = 2026-03-08T12:00:00Z
[example.given]
things = [{ thing_id = "house", family = "water_meter", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "m1", thing_id = "house", valid_from = "2026-01-01T00:00:00Z" }]
water_meter = """
SELECT 'm1' AS device_id, t AS observed_at, 7 + sum((CASE WHEN hour(t) BETWEEN 7 AND 20 THEN 0.012 ELSE 0 END) * CASE WHEN t > TIMESTAMPTZ '2026-03-01 00:00:00Z' THEN 0.0833 ELSE 1 END) OVER (ORDER BY t) AS volume_total_m3
FROM range(TIMESTAMPTZ '2026-01-10 00:00:00Z', TIMESTAMPTZ '2026-03-08 12:00:00Z', INTERVAL 1 HOUR) AS r (t)"""
[[example.expect]]
thing_id = "house"
severity = "warning"
going_on = true

[[example]]
title = "Away from 1 March on"
as_of = 2026-03-08T12:00:00Z
[example.given]
things = [{ thing_id = "house", family = "water_meter", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "m1", thing_id = "house", valid_from = "2026-01-01T00:00:00Z" }]
water_meter = """
SELECT 'm1' AS device_id, t AS observed_at, 7 + sum(CASE WHEN t > TIMESTAMPTZ '2026-03-01 00:00:00Z' THEN 0 ELSE CASE WHEN hour(t) BETWEEN 7 AND 20 THEN 0.012 ELSE 0 END END) OVER (ORDER BY t) AS volume_total_m3
FROM range(TIMESTAMPTZ '2026-01-10 00:00:00Z', TIMESTAMPTZ '2026-03-08 12:00:00Z', INTERVAL 1 HOUR) AS r (t)"""

*/
SELECT s.thing_id AS asset, s.ends_at AS "at", s.ends_at AT TIME ZONE r.zone AS local, s.rise_m3,
    (epoch(s.ends_at) - epoch(s.starts_at)) / 3600 AS hours
FROM meter_steps AS s CROSS JOIN run AS r
WHERE s.ends_at > r.as_of - INTERVAL 63 DAY
