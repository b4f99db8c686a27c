/*
id = "lighting.lamp_out"
kind = "detector"
version = 1
grain = "lighting cabinet"
reads = ["building_energy", "register_cabinets", "register_luminaires", "assignments", "things", "run"]
references = ["Smialkowski and Czyzewski 2025: outages in the power of lighting, within 15 minutes; the rule here is our own"]
cadence = "hour"
method = "lamp_out"
memory_days = 50

[title]
en = "Lamp out, seen in the cabinet's power"
sl = "Svetilka ne gori, vidno v moči prižigališča"

[meaning]
en = "The power of a lighting cabinet (power_kw of its energy meter, a thing with the cabinet's id) fell by about one lamp against the same minutes of the last eight nights, and stayed there. What follows the mains is taken out where the meter gives the voltage. It takes means of at most 15 minutes, and a week of nights to begin with; one lamp is its smallest of the register, or a fiftieth of the power where no luminaires of the cabinet are known. It closes when as much comes back."
sl = "Moč prižigališča (power_kw njegovega števca energije na objektu z oznako prižigališča) je glede na iste minute zadnjih osmih noči padla za približno eno svetilko in tam ostala. Vpliv omrežne napetosti je odštet, če jo števec sporoča. Potrebuje povprečja največ 15 minut in za začetek en teden noči; ena svetilka je najmanjša v registru ali petdesetina moči, če svetilke prižigališča niso znane. Zapre se, ko se toliko moči vrne."

[says.what]
en = "Lamp out"
sl = "Svetilka ne gori"

[says.why]
en = "The cabinet draws {power_w:.0f} W, expected {expected_w:.0f} W: {missing_w:.0f} W ({share_pct:.1f} %) are missing; lamps that are out, by estimate: {lamps}."
sl = "Prižigališče troši {power_w:.0f} W, pričakovanih je {expected_w:.0f} W: manjka {missing_w:.0f} W ({share_pct:.1f} %); ocenjeno število ugaslih svetilk: {lamps}."

[says.chart]
en = "mean power of each hour, W"
sl = "povprečna moč vsake ure, W"

[[example]]
title = "One of 50 lamps of 40 W goes out at ten in the evening of the tenth night; the other cabinet is dimmed then, as always"
as_of = 2026-03-12T01:00:00Z
[example.given]
things = "SELECT 'cabinet-' || i AS thing_id, 'building_energy' AS family, 'east' AS area_id, '{}' AS attributes FROM range(3) AS r (i)"
assignments = "SELECT 'd' || i AS device_id, 'cabinet-' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(3) AS r (i)"
register_cabinets = "SELECT 'cabinet-' || i AS cabinet_id, TIMESTAMPTZ '2020-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
register_luminaires = "SELECT 'lamp-' || i AS luminaire_id, 'cabinet-0' AS cabinet_id, 40.0 AS nominal_power_w, TIMESTAMPTZ '2020-01-01 00:00:00Z' AS valid_from FROM range(50) AS r (i)"
building_energy = """
SELECT 'd' || i AS device_id, t AS observed_at, 230.0 AS voltage_v,
    CASE WHEN hour(t) BETWEEN 5 AND 16 THEN 0.015
        WHEN i = 1 AND hour(t) NOT BETWEEN 17 AND 20 THEN 1.2
        WHEN i <> 1 AND t > TIMESTAMPTZ '2026-03-11 21:00:00Z' THEN 1.96 ELSE 2.0 END + 0.001 * (minute(t) // 5 % 3) AS power_kw
FROM range(TIMESTAMPTZ '2026-03-01 12:00:00Z', TIMESTAMPTZ '2026-03-12 01:00:00Z', INTERVAL 5 MINUTE) AS r (t), range(3) AS c (i)"""
[[example.expect]]
thing_id = "cabinet-0"
since = 2026-03-11T21:00:00Z
going_on = true
*/
WITH lamps AS (  -- what the register knows of each cabinet's luminaires: their number, the smallest and all together
    SELECT l.cabinet_id, CASE WHEN count(l.nominal_power_w) = count(*) THEN min(l.nominal_power_w) / sum(l.nominal_power_w) ELSE 1.0 / count(*) END AS share
    FROM register_luminaires AS l CROSS JOIN run AS r
    WHERE l.valid_from <= r.as_of AND (l.valid_to IS NULL OR l.valid_to > r.as_of)
    GROUP BY l.cabinet_id
)
SELECT a.thing_id AS asset, coalesce(e.observed_until, e.observed_at) AS "at", coalesce(e.observed_until, e.observed_at) AT TIME ZONE r.zone AS local,
    1000 * CAST(e.power_kw AS DOUBLE) AS power_w, CAST(e.voltage_v AS DOUBLE) AS voltage_v, CAST(l.share AS DOUBLE) AS lamp_share
FROM building_energy AS e
JOIN assignments AS a ON a.device_id = e.device_id AND e.observed_at >= a.valid_from
    AND (a.valid_to IS NULL OR e.observed_at < a.valid_to)
CROSS JOIN run AS r
LEFT JOIN lamps AS l ON l.cabinet_id = a.thing_id
WHERE e.power_kw IS NOT NULL AND e.quality NOT IN (4, 9) AND e.observed_at > r.as_of - INTERVAL 50 DAY
    AND a.thing_id IN (SELECT cabinet_id FROM register_cabinets)
