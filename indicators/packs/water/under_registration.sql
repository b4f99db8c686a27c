/*
id = "water.under_registration"
kind = "detector"
version = 2
grain = "connection"
reads = ["meter_steps", "things", "run"]
references = ["Sustained fall of what a meter shows (Emasesa, Seville: sudden and progressive drop); here the likeliest part of the hours with use, so that fewer people at home do not look like a worn meter"]
cadence = "night"
personal = true
own = true
method = "under_registration"
memory_days = 130

[title]
en = "Water meter shows less than it did"
sl = "Vodomer kaže manj kot prej"

[meaning]
en = "Over four weeks an hour with use shows less than in the eight weeks before, and small and large hours alike: the hours look like the earlier ones shown in at most 80 %, and their mean has fallen to at most 82 %. Fewer people at home would use water at fewer hours, not less at each; a garden that is no longer watered takes away the large hours alone. New fittings look the same: the meter is to be tested. The estimate is what is missing in these four weeks; its bounds come from how much weeks of this connection differ."
sl = "V štirih tednih ura s porabo pokaže manj kot v osmih tednih prej, in to enako pri majhnih in velikih urah: ure so videti kot prejšnje, prikazane v največ 80 %, njihovo povprečje pa je padlo na največ 82 %. Manj ljudi doma bi rabilo vodo ob manj urah, ne manj v vsaki; vrt, ki se ne zaliva več, odvzame le velike ure. Nove pipe in kotlički so videti enako: vodomer je treba preskusiti. Ocena je to, kar v teh štirih tednih manjka; meji izhajata iz razlik med tedni tega priključka."

[says.what]
en = "Water meter shows less than it did"
sl = "Vodomer kaže manj kot prej"

[says.why]
en = "An hour with use shows {now_l:.1f} L, before {before_l:.1f} L ({share:.0%}); {missing_l:.0f} L missing in four weeks."
sl = "Ura s porabo pokaže {now_l:.1f} l, prej {before_l:.1f} l ({share:.0%}); v štirih tednih manjka {missing_l:.0f} l."

[says.chart]
en = "litres of each of 12 weeks"
sl = "litri v vsakem od 12 tednov"

[[example]]
title = "From 1 April on the register shows half"
as_of = 2026-05-06T12:00:00Z
[example.given]
things = [{ thing_id = "house", family = "water_meter", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "m1", thing_id = "house", valid_from = "2026-01-01T00:00:00Z" }]
water_meter = """
SELECT 'm1' AS device_id, t AS observed_at, 7 + sum((CASE WHEN hour(t) BETWEEN 7 AND 20 THEN 0.012 ELSE 0 END) * CASE WHEN t > TIMESTAMPTZ '2026-04-01 00:00:00Z' THEN 0.5 ELSE 1 END) OVER (ORDER BY t) AS volume_total_m3
FROM range(TIMESTAMPTZ '2026-01-01 00:00:00Z', TIMESTAMPTZ '2026-05-06 12:00:00Z', INTERVAL 1 HOUR) AS r (t)"""
[[example.expect]]
thing_id = "house"
severity = "info"
going_on = true

[[example]]
title = "At home at half of the hours: nothing wrong with the meter"
as_of = 2026-05-06T12:00:00Z
[example.given]
things = [{ thing_id = "house", family = "water_meter", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "m1", thing_id = "house", valid_from = "2026-01-01T00:00:00Z" }]
water_meter = """
SELECT 'm1' AS device_id, t AS observed_at, 7 + sum(CASE WHEN hour(t) BETWEEN 7 AND 20 AND (t < TIMESTAMPTZ '2026-04-01 00:00:00Z' OR hour(t) % 2 = 0) THEN 0.012 ELSE 0 END) OVER (ORDER BY t) AS volume_total_m3
FROM range(TIMESTAMPTZ '2026-01-01 00:00:00Z', TIMESTAMPTZ '2026-05-06 12:00:00Z', INTERVAL 1 HOUR) AS r (t)"""

*/
SELECT s.thing_id AS asset, s.ends_at AS "at", s.ends_at AT TIME ZONE r.zone AS local, s.rise_m3,
    (epoch(s.ends_at) - epoch(s.starts_at)) / 3600 AS hours
FROM meter_steps AS s CROSS JOIN run AS r
