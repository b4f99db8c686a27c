/*
id = "kpi.reporting_count"
kind = "indicator"
version = 1
unit = "1"
grain = "register, local day"
reads = ["heard", "run", "things", "devices", "assignments", "expected", "hydrant", "water_shaft", "waste_container", "streetlight", "road_weather", "district_meter", "water_meter", "heat_meter", "building_energy", "indoor_climate", "weather", "air_quality", "river_level", "traffic_counter", "known_days"]
cadence = "night"
reach = { before = 8, after = 0 }

[title]
en = "Number that report"
sl = "Število, ki poroča"

[meaning]
en = "How many things of a sort have a device that gave at least one reading that is not suspect or wrong in the last seven local days (or three expected intervals, where that is longer)."
sl = "Koliko objektov te vrste ima napravo, ki je v zadnjih sedmih krajevnih dneh (ali treh pričakovanih intervalih, če je to več) dala vsaj en odčitek, ki ni sumljiv ali napačen."

[[example]]
title = "Two air sensors and a weather station, one of them heard"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = "SELECT 's' || i AS thing_id, CASE i WHEN 2 THEN 'weather' ELSE 'air_quality' END AS family, '{}' AS attributes FROM range(3) AS r (i)"
devices = "SELECT 'd' || i AS device_id, CASE i WHEN 2 THEN 'weather' ELSE 'air_quality' END AS family FROM range(3) AS r (i)"
assignments = "SELECT 'd' || i AS device_id, 's' || i AS thing_id, TIMESTAMPTZ '2026-01-02 00:00:00Z' AS valid_from FROM range(3) AS r (i)"
air_quality = [{ device_id = "d0", observed_at = "2026-03-02T12:00:00Z", pm10_ugm3 = 20.0 }]
[[example.expect]]
subject_id = "air_sites"
value = 1.0
coverage = 0.5
[[example.expect]]
subject_id = "climate"
period_start = 2026-03-02
value = 1.0
denominator = 1.0
devices = 3
*/
SELECT 'register' AS subject_kind, c.register AS subject_id, h.local_date AS period_start, h.local_date + 1 AS period_end,
    count(DISTINCT h.thing_id) FILTER (a.device_id IS NOT NULL) AS value,
    count(DISTINCT h.thing_id) FILTER (a.device_id IS NOT NULL) AS numerator, 1 AS denominator,
    count(DISTINCT h.thing_id) FILTER (a.device_id IS NOT NULL) / count(DISTINCT h.thing_id) AS coverage,
    count(DISTINCT h.device_id) AS devices, 0.0 AS estimated_share
FROM hung_days('known_days') AS h
JOIN counted AS c ON c.thing_id = h.thing_id AND c.family = h.family
LEFT JOIN alive_days('known_days', 'expected') AS a ON a.local_date = h.local_date AND a.device_id = h.device_id
GROUP BY c.register, h.local_date
ORDER BY subject_id, period_start
