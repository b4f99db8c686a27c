/*
id = "traffic.counter_dropout"
kind = "detector"
version = 1
grain = "counter"
reads = ["traffic_counter", "assignments", "things", "run"]
references = ["FHWA TMAS: seven consecutive hours of zero; here as soon as too many vehicles are missing in two hours"]
cadence = "hour"
method = "counter_dropout"
memory_days = 35
explains = ["traffic.counter_stuck"]

[title]
en = "Traffic counter counts nothing"
sl = "Števec prometa ne šteje"

[meaning]
en = "A lane of a counter shows zeros at times of day at which it has counted on nearly all of the last fourteen days: in two hours or more at least 25 vehicles are missing even by the third lowest of these days, or some after seven hours. Where it counted less in the hours before, in snow or on a holiday, so much less is expected. A lane that drops out again within a week has the same fault, and lanes of one counter make one alarm. A closed road looks the same for two weeks."
sl = "Pas števca kaže ničle ob urah, ob katerih je v zadnjih štirinajstih dneh skoraj vedno štel: v dveh urah ali več manjka vsaj 25 vozil celo glede na tretji najnižji dan, po sedmih urah pa zadošča nekaj vozil. Če je v urah pred tem štel manj, v snegu ali na praznik, se pričakuje toliko manj. Pas, ki v enem tednu znova izpade, ima isto okvaro, pasovi enega števca pa skupen alarm. Zaprta cesta je dva tedna videti enako."

[says.what]
en = "Traffic counter counts nothing"
sl = "Števec prometa ne šteje"

[says.why]
en = "No vehicle for {hours:.1f} h, though at least {missing:.0f} were to be expected. Lane: {channel}."
sl = "Že {hours:.1f} h brez vozil, pričakovanih pa bi bilo vsaj {missing:.0f}. Pas: {channel}."

[says.chart]
en = "vehicles of each hour"
sl = "vozila v vsaki uri"

[[example]]
title = "Zeros from eight in the morning; the quiet nights are none"
as_of = 2026-03-20T12:00:00Z
[example.given]
things = [{ thing_id = "bridge", family = "traffic_counter", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "d", thing_id = "bridge", valid_from = "2026-01-01T00:00:00Z" }]
traffic_counter = """
SELECT 'd' AS device_id, '1' AS lane, 'in' AS direction, 'all' AS vehicle_class, t AS observed_at, 900 AS interval_s,
    CASE WHEN t >= TIMESTAMPTZ '2026-03-20 08:00:00Z' OR hour(t) < 5 THEN 0 ELSE 10 + (minute(t) // 15 * 7 + hour(t)) % 5 END AS count
FROM range(TIMESTAMPTZ '2026-03-01 00:00:00Z', TIMESTAMPTZ '2026-03-20 12:00:00Z', INTERVAL 15 MINUTE) AS r (t)"""
[[example.expect]]
thing_id = "bridge"
since = 2026-03-20T08:00:00Z
going_on = true
*/
SELECT a.thing_id AS asset, c.observed_at + INTERVAL 1 SECOND * coalesce(c.interval_s, 900) AS "at",
    (c.observed_at + INTERVAL 1 SECOND * coalesce(c.interval_s, 900)) AT TIME ZONE r.zone AS local,
    CAST(c.count AS DOUBLE) AS count,
    concat_ws(' ', nullif(c.lane, ''), nullif(c.direction, ''), nullif(nullif(c.vehicle_class, ''), 'all')) AS channel
FROM traffic_counter AS c
JOIN assignments AS a ON a.device_id = c.device_id AND c.observed_at >= a.valid_from
    AND (a.valid_to IS NULL OR c.observed_at < a.valid_to)
CROSS JOIN run AS r
WHERE c.count IS NOT NULL AND c.quality NOT IN (4, 9) AND c.observed_at > r.as_of - INTERVAL 35 DAY
