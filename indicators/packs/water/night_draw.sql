/*
id = "water.night_draw"
kind = "detector"
version = 1
grain = "area"
reads = ["inflow", "consumption_hourly", "district_meter", "assignments", "things", "run"]
references = ["Balance of a district by half hours of the night; pulses of one to three hours against the hours beside them and against six weeks before; nights add up. docs/detection.md has what it finds"]
cadence = "night"
method = "night_draw"
subject = "area"
memory_days = 120

[title]
en = "Unbilled water drawn at night"
sl = "Neobračunan nočni odvzem vode"

[meaning]
en = "The same one to three hours of several nights draw more from the network of a district than they used to, and than the hours beside them: what flows in, less what tanks take in, less what the meters of connections told where nine in ten did. Where they do not, watering or a night shift looks the same. It needs three weeks to know a district and three nights that show it."
sl = "Ista ena do tri ure več noči se iz omrežja območja odvzame več kot prej in več kot v sosednjih urah: dotok brez polnjenja vodohranov in brez porabe, ki so jo sporočili vodomeri, kjer jih je sporočilo vsaj devet od desetih. Kjer je niso, je zalivanje ali nočna izmena videti enako. Območje spozna v treh tednih, potrebuje pa tri noči, ki to pokažejo."

[says.what]
en = "Water drawn at night without a bill"
sl = "Neobračunan nočni odvzem vode"

[says.why]
en = "In {nights:.0f} of {of:.0f} nights {now_m3h:.1f} m³/h more ({low_m3h:.1f} to {high_m3h:.1f}) were drawn from {from} to {to} than in the weeks before; an ordinary night differs by {spread_m3h:.1f} m³/h."
sl = "V {nights:.0f} od {of:.0f} noči se je od {from} do {to} odvzelo {now_m3h:.1f} m³/h več (od {low_m3h:.1f} do {high_m3h:.1f}) kot v tednih prej; običajna noč odstopa za {spread_m3h:.1f} m³/h."

[says.chart]
en = "what those nights draw more than before, by half hours from 22:00, m³/h"
sl = "koliko več kot prej se odvzame v teh nočeh po pol ure od 22.00, m³/h"

[[example]]
title = "Two hours of 6 m³/h in the nights of a week"
as_of = 2026-03-29T06:00:00Z
[example.given]
areas = [{ area_id = "east" }]
things = [{ thing_id = "shaft", family = "district_meter", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "d1", thing_id = "shaft", valid_from = "2026-01-01T00:00:00Z" }]
district_meter = """
SELECT 'd1' AS device_id, t AS observed_at, 20 + 8 * sin(epoch(t) / 86400 * 2 * pi()) + (hash(t) % 100) / 80
    + CASE WHEN t >= TIMESTAMPTZ '2026-03-21 12:00:00Z' AND hour(t) IN (0, 1) THEN 6 ELSE 0 END AS flow_m3h
FROM range(TIMESTAMPTZ '2026-02-10 00:00:00Z', TIMESTAMPTZ '2026-03-29 06:00:00Z', INTERVAL 15 MINUTE) AS r (t)"""
[[example.expect]]
area_id = "east"
severity = "critical"
going_on = true
*/
WITH metered AS (
    SELECT t.area_id, date_trunc('hour', c.starts_at) AS hour, count(DISTINCT c.thing_id) AS told,
        sum(CAST(c.volume_m3 AS DOUBLE) * 3600 / epoch(c.ends_at - c.starts_at)) AS m3h
    FROM consumption_hourly AS c JOIN things AS t USING (thing_id)
    WHERE t.area_id IS NOT NULL AND c.ends_at - c.starts_at <= INTERVAL 90 MINUTE
    GROUP BY ALL
),
known AS (
    SELECT t.area_id, count(DISTINCT a.thing_id) AS meters
    FROM assignments AS a JOIN things AS t USING (thing_id)
    WHERE t.family = 'water_meter' AND a.valid_to IS NULL
    GROUP BY ALL
),
held AS (FROM district_stored(INTERVAL 15 MINUTE))
SELECT i.area_id AS asset, i.starts_at + INTERVAL 15 MINUTE AS "at", (i.starts_at + INTERVAL 15 MINUTE) AT TIME ZONE r.zone AS local,
    i.flow_m3h, h.stored_m3, CASE WHEN m.told >= 0.9 * k.meters THEN m.m3h END AS metered_m3h
FROM inflow AS i
LEFT JOIN metered AS m ON m.area_id = i.area_id AND m.hour = date_trunc('hour', i.starts_at)
LEFT JOIN known AS k ON k.area_id = i.area_id
LEFT JOIN held AS h ON h.area_id = i.area_id AND h.starts_at = i.starts_at
CROSS JOIN run AS r
WHERE i.meters = i.expected AND i.starts_at + INTERVAL 15 MINUTE <= r.as_of
