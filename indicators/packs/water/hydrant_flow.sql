/*
id = "water.hydrant_flow"
kind = "detector"
version = 1
grain = "area"
reads = ["inflow_readings", "inflow_expected", "district_meter", "assignments", "things", "run"]
references = ["Inflow and pressures of the last 5 to 15 minutes against the half hour before, by what is usual at that time and when pumps switch and tanks fill. docs/detection.md has what it finds"]
cadence = "commit"
method = "hydrant_flow"
subject = "area"
memory_days = 40
explains = ["water.district_leak", "water.pressure_leak", "water.burst"]

[title]
en = "Hydrant opened, seen by the district"
sl = "Odprt hidrant, viden na dotoku območja"

[meaning]
en = "The inflow of a district leaps by what a hydrant gives (15 m³/h or more), or its pressures fall where a tank gives the water, within ten minutes, and no pump, tank or usual hour explains it. It says when it was closed; after three hours it is called left open. It needs a week of district meters that speak every five minutes; where they speak every quarter of an hour it is known after 15 to 45 minutes. A hydrant that reports itself is named as its cause."
sl = "Dotok v območje v desetih minutah poskoči za toliko, kot da hidrant (vsaj 15 m³/h), ali pa tlak pade, kjer vodo daje vodohran; tega ne pojasnijo ne črpalke, ne vodohrani, ne običajni čas dneva. Pove, kdaj je bil zaprt; po treh urah velja za puščenega odprtega. Potrebuje teden dni meritev na pet minut; pri meritvah na četrt ure je znano po 15 do 45 minutah. Hidrant, ki se javi sam, je naveden kot vzrok."

[says.what]
en = "Water drawn as from an open hydrant"
sl = "Odvzem vode kot iz odprtega hidranta"

[says.why]
en = "The inflow went from {before_m3h:.1f} to {now_m3h:.1f} m³/h at once, {leap_m3h:.1f} m³/h more than usual at that time (an ordinary step differs by {spread_m3h:.1f} m³/h); the pressure at {sensor} changed by {change_m:.1f} m. It lasted {minutes:.0f} min."
sl = "Dotok se je nenadoma spremenil s {before_m3h:.1f} na {now_m3h:.1f} m³/h, za {leap_m3h:.1f} m³/h več kot običajno ob tem času (običajen korak odstopa za {spread_m3h:.1f} m³/h); tlak na {sensor} se je spremenil za {change_m:.1f} m. Trajalo je {minutes:.0f} min."

[says.chart]
en = "flow into the district every five minutes, m³/h"
sl = "dotok v območje na pet minut, m³/h"

[[example]]
title = "Forty minutes of 30 m³/h more; the tank that fills every night is no hydrant"
as_of = 2026-03-14T12:00:00Z
[example.given]
areas = [{ area_id = "east" }]
things = [{ thing_id = "shaft", family = "district_meter", area_id = "east", attributes = "{}" }, { thing_id = "tank", family = "district_meter", area_id = "east", attributes = '{"direction": "none"}' }]
assignments = [{ device_id = "d1", thing_id = "shaft", valid_from = "2026-01-01T00:00:00Z" }, { device_id = "d2", thing_id = "tank", valid_from = "2026-01-01T00:00:00Z" }]
district_meter = """
SELECT device_id, t AS observed_at,
    CASE WHEN device_id = 'd1' THEN 60 + 25 * sin(epoch(t) / 86400 * 2 * pi()) + (hash(t) % 100) / 50
        + CASE WHEN t > TIMESTAMPTZ '2026-03-13 20:10:00Z' AND t <= TIMESTAMPTZ '2026-03-13 20:50:00Z' THEN 30 ELSE 0 END
        + CASE WHEN hour(t) * 60 + minute(t) BETWEEN 65 AND 180 THEN 24 ELSE 0 END END AS flow_m3h,
    CASE WHEN device_id = 'd2' THEN 3 + greatest(least(hour(t) * 60 + minute(t) - 60, 120), 0) / 60 - (hour(t) * 60 + minute(t)) / 720 END AS level_m,
    CASE WHEN device_id = 'd1' THEN 400 - CASE WHEN t > TIMESTAMPTZ '2026-03-13 20:10:00Z' AND t <= TIMESTAMPTZ '2026-03-13 20:50:00Z' THEN 10 ELSE 0 END END AS pressure_kpa
FROM range(TIMESTAMPTZ '2026-03-01 00:00:00Z', TIMESTAMPTZ '2026-03-14 12:00:00Z', INTERVAL 5 MINUTE) AS r (t), (VALUES ('d1'), ('d2')) AS v (device_id)"""
[[example.expect]]
area_id = "east"
since = 2026-03-13T20:10:00Z
until = 2026-03-13T20:55:00Z
severity = "warning"
going_on = false
*/
WITH flow AS (
    SELECT area_id, thing_id, sign, time_bucket(INTERVAL 5 MINUTE, observed_at - INTERVAL 1 MICROSECOND) AS starts_at, avg(flow_m3h) AS flow_m3h
    FROM inflow_readings WHERE flow_m3h IS NOT NULL
    GROUP BY ALL
),
flows AS (
    SELECT area_id, starts_at, sum(sign * flow_m3h) AS flow_m3h, count(*) AS told,
        list(thing_id ORDER BY thing_id) AS meters, list(flow_m3h ORDER BY thing_id) AS flows
    FROM flow GROUP BY ALL
),
expected AS (
    SELECT area_id, day, count(DISTINCT thing_id) AS meters FROM inflow_expected GROUP BY ALL
)
SELECT f.area_id AS asset, f.starts_at + INTERVAL 5 MINUTE AS "at", (f.starts_at + INTERVAL 5 MINUTE) AT TIME ZONE r.zone AS local,
    f.flow_m3h, f.meters, f.flows, p.sensors, p.pressures, p.tanks, p.levels
FROM flows AS f
JOIN expected AS e ON e.area_id = f.area_id AND e.day = CAST(f.starts_at AS DATE) AND e.meters = f.told
LEFT JOIN district_points(INTERVAL 5 MINUTE, INTERVAL 1 MICROSECOND) AS p ON p.area_id = f.area_id AND p.starts_at = f.starts_at
CROSS JOIN run AS r
WHERE f.starts_at + INTERVAL 5 MINUTE <= r.as_of
