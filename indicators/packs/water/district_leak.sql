/*
id = "water.district_leak"
kind = "detector"
version = 2
grain = "area"
reads = ["inflow_hours", "consumption_hourly", "district_meter", "assignments", "things", "run"]
references = ["Flow of 24 hours against the district's own profile of the week: a constant (leak) and a factor (season, weather) by generalised least squares; jumps and drifts of the constant. docs/detection.md has what it finds"]
cadence = "night"
method = "district_leak"
subject = "area"
memory_days = 200

[title]
en = "Leak in a district's network"
sl = "Puščanje v omrežju območja"

[meaning]
en = "A constant flow that the district did not have before, at once or growing over days: what flows in, less what tanks take in, against the district's own profile of the week. What rose through the meters of connections as well is theirs; hours with an open hydrant are left out. It needs 14 days to know a district, finds sudden leaks of some 5 % of the mean flow within a day, and growing ones when they have come to about as much."
sl = "Stalen pretok, ki ga območje prej ni imelo, nenaden ali naraščajoč v nekaj dneh: dotok brez polnjenja vodohranov glede na lastni tedenski potek območja. Kar je zraslo tudi skozi vodomere priključkov, je njihovo; ure z odprtim hidrantom so izpuščene. Območje spozna v 14 dneh, nenadna puščanja okrog 5 % povprečnega pretoka najde v enem dnevu, naraščajoča pa, ko dosežejo približno toliko."

[says.what]
en = "Leak in the network of the district"
sl = "Puščanje v omrežju območja"

[says.why]
en = "All day long {now_m3h:.1f} m³/h more flow in than the district's own profile says ({low_m3h:.1f} to {high_m3h:.1f}); the mean is {baseline_m3h:.1f} m³/h, and an ordinary day differs by {spread_m3h:.2f} m³/h."
sl = "Ves dan priteka {now_m3h:.1f} m³/h več, kot kaže lastni potek območja (od {low_m3h:.1f} do {high_m3h:.1f}); povprečje je {baseline_m3h:.1f} m³/h, običajen dan pa odstopa za {spread_m3h:.2f} m³/h."

[says.chart]
en = "constant flow above the district's own profile, day by day, m³/h"
sl = "stalni pretok nad lastnim potekom območja po dnevih, m³/h"

[[example]]
title = "2 m³/h more from one moment on, found within the day; the repair of an hour before it is no leak"
as_of = 2026-03-29T06:00:00Z
[example.given]
areas = [{ area_id = "east" }]
things = [{ thing_id = "shaft", family = "district_meter", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "d1", thing_id = "shaft", valid_from = "2026-01-01T00:00:00Z" }]
district_meter = """
SELECT 'd1' AS device_id, t AS observed_at, 6 + 3 * sin(epoch(t) / 86400 * 2 * pi()) + 0.4 * sin(epoch(t) / 7000)
    + CASE WHEN t BETWEEN TIMESTAMPTZ '2026-03-24 08:00:00Z' AND TIMESTAMPTZ '2026-03-24 09:00:00Z' THEN 30 WHEN t >= TIMESTAMPTZ '2026-03-26 10:00:00Z' THEN 2 ELSE 0 END AS flow_m3h
FROM range(TIMESTAMPTZ '2026-03-01 00:00:00Z', TIMESTAMPTZ '2026-03-29 06:00:00Z', INTERVAL 15 MINUTE) AS r (t)"""
[[example.expect]]
area_id = "east"
since = 2026-03-26T10:00:00Z
severity = "warning"
going_on = true

[[example]]
title = "A leak inside a metered house is not one of the network"
as_of = 2026-03-29T06:00:00Z
[example.given]
areas = [{ area_id = "east" }]
things = [{ thing_id = "shaft", family = "district_meter", area_id = "east", attributes = "{}" }, { thing_id = "house", family = "water_meter", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "d1", thing_id = "shaft", valid_from = "2026-01-01T00:00:00Z" }, { device_id = "m1", thing_id = "house", valid_from = "2026-01-01T00:00:00Z" }]
district_meter = """
SELECT 'd1' AS device_id, t AS observed_at, 6 + 3 * sin(epoch(t) / 86400 * 2 * pi()) + CASE WHEN t >= TIMESTAMPTZ '2026-03-26 10:00:00Z' THEN 2 ELSE 0 END AS flow_m3h
FROM range(TIMESTAMPTZ '2026-03-01 00:00:00Z', TIMESTAMPTZ '2026-03-29 06:00:00Z', INTERVAL 15 MINUTE) AS r (t)"""
water_meter = """
SELECT 'm1' AS device_id, t AS observed_at, CAST(epoch(t) / 36000 - 49000 + 2 * greatest(0, date_diff('hour', TIMESTAMPTZ '2026-03-26 10:00:00Z', t)) AS DECIMAL(18, 6)) AS volume_total_m3
FROM range(TIMESTAMPTZ '2026-03-01 00:00:00Z', TIMESTAMPTZ '2026-03-29 06:00:00Z', INTERVAL 1 HOUR) AS r (t)"""

[[example]]
title = "A hydrant left open for days is its own alarm, not a leak"
as_of = 2026-03-29T06:00:00Z
[example.given]
areas = [{ area_id = "east" }]
things = [{ thing_id = "shaft", family = "district_meter", area_id = "east", attributes = "{}" }, { thing_id = "hydrant", family = "hydrant", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "d1", thing_id = "shaft", valid_from = "2026-01-01T00:00:00Z" }, { device_id = "h1", thing_id = "hydrant", valid_from = "2026-01-01T00:00:00Z" }]
district_meter = """
SELECT 'd1' AS device_id, t AS observed_at, 6 + 3 * sin(epoch(t) / 86400 * 2 * pi()) + CASE WHEN t >= TIMESTAMPTZ '2026-03-26 10:00:00Z' THEN 15 ELSE 0 END AS flow_m3h
FROM range(TIMESTAMPTZ '2026-03-01 00:00:00Z', TIMESTAMPTZ '2026-03-29 06:00:00Z', INTERVAL 15 MINUTE) AS r (t)"""
hydrant = """
SELECT 'h1' AS device_id, t AS observed_at, t >= TIMESTAMPTZ '2026-03-26 10:00:00Z' AS open_state
FROM range(TIMESTAMPTZ '2026-03-01 00:00:00Z', TIMESTAMPTZ '2026-03-29 06:00:00Z', INTERVAL 1 HOUR) AS r (t)"""
*/
WITH drawn AS (  -- where nine in ten of the connections of the area tell the hour
    SELECT t.area_id, date_trunc('hour', c.ends_at - INTERVAL 1 MICROSECOND) AS hour,
        sum(CAST(c.volume_m3 AS DOUBLE) / (epoch(c.ends_at - c.starts_at) / 3600)) AS metered_m3h, count(DISTINCT c.thing_id) AS told
    FROM consumption_hourly AS c JOIN things AS t ON t.thing_id = c.thing_id AND t.area_id IS NOT NULL
    WHERE c.ends_at - c.starts_at <= INTERVAL 90 MINUTE
    GROUP BY ALL
),
connections AS (
    SELECT t.area_id, count(DISTINCT a.thing_id) AS known
    FROM assignments AS a JOIN things AS t ON t.thing_id = a.thing_id AND t.family = 'water_meter'
    WHERE a.valid_to IS NULL
    GROUP BY t.area_id
)
SELECT f.area_id AS asset, f.starts_at + INTERVAL 1 HOUR AS at, (f.starts_at + INTERVAL 1 HOUR) AT TIME ZONE r.zone AS local,
    f.flow_m3h, s.stored_m3,
    CASE WHEN d.told >= 0.9 * n.known THEN d.metered_m3h END AS metered_m3h
FROM inflow_hours AS f
LEFT JOIN drawn AS d ON d.area_id = f.area_id AND d.hour = f.starts_at
LEFT JOIN connections AS n ON n.area_id = f.area_id
LEFT JOIN district_stored(INTERVAL 1 HOUR) AS s ON s.area_id = f.area_id AND s.starts_at = f.starts_at
CROSS JOIN run AS r
WHERE f.starts_at + INTERVAL 1 HOUR <= r.as_of
