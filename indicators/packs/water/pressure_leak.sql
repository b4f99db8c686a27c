/*
id = "water.pressure_leak"
kind = "detector"
version = 1
grain = "area"
reads = ["inflow", "inflow_slots", "district_meter", "assignments", "things", "run"]
references = ["Pressures regressed on flows, levels and the time of day, learned anew every day from the two weeks before; what remains is whitened (Hotelling). docs/detection.md has what it finds"]
cadence = "hour"
method = "pressure_leak"
subject = "area"
memory_days = 60
explains = ["water.burst"]

[title]
en = "Leak seen by pressures"
sl = "Puščanje, vidno v tlakih"

[meaning]
en = "The pressures of a district no longer follow from its flows as they did in the weeks before: at once (known within an hour) or growing over days. It needs two or more district meters with pressure in the area. Where attribute network of a district meter names an EPANET file whose nodes and links bear the names of the sensors (or their attributes node and link), the pipe that fits best is named."
sl = "Tlaki v območju ne sledijo več pretokom tako kot v prejšnjih tednih: nenadoma (znano v eni uri) ali počasi v nekaj dneh. V območju potrebuje vsaj dva merilnika s tlakom. Če lastnost network merilnika območja navaja datoteko EPANET, katere vozlišča in povezave nosijo imena tipal (ali njihovi lastnosti node in link), je imenovana cev, ki se najbolj ujema."

[says.what]
en = "Leak in the network, seen by pressures"
sl = "Puščanje v omrežju, vidno v tlakih"

[says.why]
en = "The pressure at {sensor} differs by {change_m:.2f} m from what the flows say; an ordinary difference is {score:.0f} times smaller, over all sensors together."
sl = "Tlak na {sensor} odstopa za {change_m:.2f} m od tistega, kar povedo pretoki; običajno odstopanje vseh tipal skupaj je {score:.0f}-krat manjše."

[says.chart]
en = "pressure at that sensor, less what the flows say, m"
sl = "tlak na tem tipalu brez tistega, kar povedo pretoki, m"

[[example]]
title = "A pressure that falls by two metres while the flow hardly rises, known within the hour"
as_of = 2026-03-20T06:00:00Z
[example.given]
areas = [{ area_id = "east" }]
things = [{ thing_id = "shaft", family = "district_meter", area_id = "east", attributes = "{}" }, { thing_id = "p1", family = "district_meter", area_id = "east", attributes = '{"direction": "none"}' }, { thing_id = "p2", family = "district_meter", area_id = "east", attributes = '{"direction": "none"}' }]
assignments = [{ device_id = "d1", thing_id = "shaft", valid_from = "2026-01-01T00:00:00Z" }, { device_id = "d2", thing_id = "p1", valid_from = "2026-01-01T00:00:00Z" }, { device_id = "d3", thing_id = "p2", valid_from = "2026-01-01T00:00:00Z" }]
district_meter = """
SELECT device_id, t AS observed_at, CASE WHEN device_id = 'd1' THEN 30 + 12 * sin(epoch(t) / 86400 * 2 * pi()) END AS flow_m3h,
    CASE WHEN device_id <> 'd1' THEN 500 - 0.02 * pow(30 + 12 * sin(epoch(t) / 86400 * 2 * pi()), 2) + (hash(t, device_id) % 100) / 100 END
        - CASE WHEN device_id = 'd2' AND t >= TIMESTAMPTZ '2026-03-18 09:00:00Z' THEN 20 ELSE 0 END AS pressure_kpa
FROM range(TIMESTAMPTZ '2026-03-01 00:00:00Z', TIMESTAMPTZ '2026-03-20 06:00:00Z', INTERVAL 15 MINUTE) AS r (t), (VALUES ('d1'), ('d2'), ('d3')) AS v (device_id)"""
[[example.expect]]
area_id = "east"
since = 2026-03-18T08:45:00Z
severity = "warning"
going_on = true
*/
WITH place AS (
    SELECT DISTINCT thing_id, coalesce(json_extract_string(attributes, '$.link'), thing_id) AS link FROM things
),
flow AS (
    SELECT i.area_id, i.starts_at, list(p.link ORDER BY p.link) AS meters, list(i.flow_m3h ORDER BY p.link) AS flows
    FROM inflow_slots AS i
    JOIN place AS p ON p.thing_id = i.thing_id
    GROUP BY ALL
)
SELECT i.area_id AS asset, i.starts_at + INTERVAL 15 MINUTE AS "at", (i.starts_at + INTERVAL 15 MINUTE) AT TIME ZONE r.zone AS local,
    i.flow_m3h, s.sensors, s.pressures, f.meters, f.flows
FROM inflow AS i
JOIN district_points(INTERVAL 15 MINUTE, INTERVAL 0 MINUTE) AS s ON s.area_id = i.area_id AND s.starts_at = i.starts_at
    AND len(s.sensors) >= 2  -- one pressure alone cannot tell a leak from a valve
JOIN flow AS f ON f.area_id = i.area_id AND f.starts_at = i.starts_at
CROSS JOIN run AS r
WHERE i.meters = i.expected AND i.starts_at + INTERVAL 15 MINUTE <= r.as_of
