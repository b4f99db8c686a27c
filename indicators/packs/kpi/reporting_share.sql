/*
id = "kpi.reporting_share"
kind = "indicator"
version = 1
unit = "%"
grain = "register, local day"
reads = ["heard", "run", "things", "devices", "assignments", "expected", "hydrant", "water_shaft", "waste_container", "streetlight", "road_weather", "district_meter", "water_meter", "heat_meter", "building_energy", "indoor_climate", "weather", "air_quality", "river_level", "traffic_counter", "register_hydrants", "register_shafts", "register_bins", "register_waste_sites", "register_luminaires", "register_roads", "register_network_segments", "register_connections", "register_buildings", "known_days"]
cadence = "night"
reach = { before = 8, after = 0 }

[title]
en = "Share of objects that report"
sl = "Delež objektov, ki poročajo"

[meaning]
en = "Share of the register's objects in service whose device gave at least one reading that is not suspect or wrong in the last seven local days (or three expected intervals, where that is longer). Coverage is the share of the installed devices that report."
sl = "Delež objektov registra v uporabi, katerih naprava je v zadnjih sedmih krajevnih dneh (ali treh pričakovanih intervalih, če je to več) dala vsaj en odčitek, ki ni sumljiv ali napačen. Pokritost je delež nameščenih naprav, ki poročajo."

[[example]]
title = "Two of four hydrants have a device, one of them is heard"
as_of = 2026-03-03T12:00:00Z
[example.given]
register_hydrants = "SELECT 'h' || i AS hydrant_id, TIMESTAMPTZ '1970-01-01 00:00:00Z' AS valid_from FROM range(4) AS r (i)"
things = "SELECT 'h' || i AS thing_id, 'hydrant' AS family, '{}' AS attributes FROM range(2) AS r (i)"
devices = "SELECT 'd' || i AS device_id, 'hydrant' AS family FROM range(2) AS r (i)"
assignments = "SELECT 'd' || i AS device_id, 'h' || i AS thing_id, TIMESTAMPTZ '2026-01-02 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
hydrant = [{ device_id = "d0", observed_at = "2026-03-02T12:00:00Z", pressure_kpa = 400.0 }]
[[example.expect]]
subject_kind = "register"
subject_id = "hydrants"
period_start = 2026-03-02
value = 25.0
numerator = 1.0
denominator = 4.0
coverage = 0.5
devices = 2
*/
WITH carried AS (
    SELECT h.local_date, c.register, c.object_id, count(DISTINCT h.device_id) AS devices,
        count(DISTINCT h.device_id) FILTER (a.device_id IS NOT NULL) AS heard
    FROM hung_days('known_days') AS h
    JOIN carriers AS c ON c.thing_id = h.thing_id AND c.family = h.family
    LEFT JOIN alive_days('known_days', 'expected') AS a ON a.local_date = h.local_date AND a.device_id = h.device_id
    GROUP BY h.local_date, c.register, c.object_id
)
SELECT 'register' AS subject_kind, o.register AS subject_id, o.local_date AS period_start, o.local_date + 1 AS period_end,
    100.0 * coalesce(sum(o.weight) FILTER (c.heard > 0), 0) / sum(o.weight) AS value,
    coalesce(sum(o.weight) FILTER (c.heard > 0), 0) AS numerator, sum(o.weight) AS denominator,
    coalesce(sum(c.heard) / nullif(sum(c.devices), 0), 0) AS coverage, coalesce(sum(c.devices), 0) AS devices, 0.0 AS estimated_share
FROM registered_days('known_days') AS o
LEFT JOIN carried AS c ON c.local_date = o.local_date AND c.register = o.register AND c.object_id = o.object_id
GROUP BY o.register, o.local_date
HAVING sum(o.weight) > 0
ORDER BY subject_id, period_start
