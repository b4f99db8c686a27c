/*
id = "water.bypass"
kind = "detector"
version = 2
grain = "connection"
reads = ["meter_steps", "things", "run"]
references = ["Likelihood ratio of two explanations: each draw shown in part, or fewer draws shown whole among drips"]
cadence = "night"
personal = true
own = true
method = "bypass"
memory_days = 63

[title]
en = "Water drawn past the meter"
sl = "Odvzem vode mimo vodomera"

[meaning]
en = "For two to four days the register shows at most 30 % of the usual volume, and its steps look like the usual ones shown in part: as many hours with use as ever, each with a little. A house in which nearly nobody lives has few draws, each of its usual size, and an empty one at most a drip. Both explanations are held against the four weeks before; the alarm comes when the first is far likelier. Somebody has to look. The estimate is what is missing against the usual volume; its bounds come from how much weeks of this connection differ."
sl = "Dva do štiri dni stanje pokaže največ 30 % običajne porabe, koraki pa so videti kot deli običajnih: poraba je ob toliko urah kot vedno, a vsakič le majhna. Hiša, v kateri skoraj nihče ne živi, ima malo odvzemov običajne velikosti, prazna pa kvečjemu kapljanje. Obe razlagi se primerjata s prejšnjimi štirimi tedni; alarm pride, ko je prva veliko verjetnejša. Nekdo mora pogledati. Ocena je to, kar manjka do običajne porabe; meji izhajata iz razlik med tedni tega priključka."

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
