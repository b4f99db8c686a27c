/*
id = "water.burst"
kind = "detector"
version = 1
grain = "area"
reads = ["inflow_hours", "district_meter", "assignments", "things", "run"]
references = ["Flow of the last 24 hours against a forecast from the same hours of earlier days and weeks, less what the districts around have in common; a matched filter for a constant flow, whitened by the correlation of the remainders. docs/detection.md has what it finds"]
cadence = "commit"
method = "burst"
subject = "area"
memory_days = 150
explains = ["water.district_leak"]

[title]
en = "Burst in a district's network"
sl = "Prelom cevi v omrežju območja"

[meaning]
en = "For a day or less a constant flow that the days and weeks before do not let expect: what flows in, less what tanks take in, and less what rose in the other districts as well. Hours with an open hydrant are left out. It needs 64 days to know a district, looks at the last 24 hours only, and asks for more where the flow is restless. It ends when the flow falls back, or after a week, when a flow that stays is the leak of the district."
sl = "Dan ali manj stalen pretok, ki ga po prejšnjih dneh in tednih ni pričakovati: dotok brez polnjenja vodohranov in brez tistega, kar je zraslo tudi v drugih območjih. Ure z odprtim hidrantom so izpuščene. Območje spozna v 64 dneh, gleda le zadnjih 24 ur in zahteva več, kjer je pretok nemiren. Konča se, ko pretok upade, ali po tednu dni, ko je pretok, ki ostane, puščanje območja."

[says.what]
en = "Burst in the network of the district"
sl = "Prelom cevi v omrežju območja"

[says.why]
en = "In the last {hours:.0f} hours {now_m3h:.1f} m³/h more flowed in than expected ({low_m3h:.1f} to {high_m3h:.1f}); the mean of the four weeks before is {baseline_m3h:.1f} m³/h."
sl = "V zadnjih {hours:.0f} urah je priteklo {now_m3h:.1f} m³/h več, kot je bilo pričakovati (od {low_m3h:.1f} do {high_m3h:.1f}); povprečje štirih tednov prej je {baseline_m3h:.1f} m³/h."

[says.chart]
en = "flow into the district by hour, m³/h"
sl = "dotok v območje po urah, m³/h"

[[example]]
title = "4 m³/h more from one moment on, found within hours"
as_of = 2026-03-26T22:00:00Z
[example.given]
areas = [{ area_id = "east" }]
things = [{ thing_id = "shaft", family = "district_meter", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "d1", thing_id = "shaft", valid_from = "2026-01-01T00:00:00Z" }]
district_meter = """
SELECT 'd1' AS device_id, t AS observed_at, 6 + 3 * sin(epoch(t) / 86400 * 2 * pi()) + 0.4 * sin(epoch(t) / 7000)
    + CASE WHEN t >= TIMESTAMPTZ '2026-03-26 10:00:00Z' THEN 4 ELSE 0 END AS flow_m3h
FROM range(TIMESTAMPTZ '2026-01-05 00:00:00Z', TIMESTAMPTZ '2026-03-26 22:00:00Z', INTERVAL 1 HOUR) AS r (t)"""
[[example.expect]]
area_id = "east"
since = 2026-03-26T10:00:00Z
severity = "warning"
going_on = true

[[example]]
title = "An open hydrant is its own alarm, not a burst"
as_of = 2026-03-26T22:00:00Z
[example.given]
areas = [{ area_id = "east" }]
things = [{ thing_id = "shaft", family = "district_meter", area_id = "east", attributes = "{}" }, { thing_id = "hydrant", family = "hydrant", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "d1", thing_id = "shaft", valid_from = "2026-01-01T00:00:00Z" }, { device_id = "h1", thing_id = "hydrant", valid_from = "2026-01-01T00:00:00Z" }]
district_meter = """
SELECT 'd1' AS device_id, t AS observed_at, 6 + 3 * sin(epoch(t) / 86400 * 2 * pi()) + 0.4 * sin(epoch(t) / 7000)
    + CASE WHEN t >= TIMESTAMPTZ '2026-03-26 10:00:00Z' THEN 15 ELSE 0 END AS flow_m3h
FROM range(TIMESTAMPTZ '2026-01-05 00:00:00Z', TIMESTAMPTZ '2026-03-26 22:00:00Z', INTERVAL 1 HOUR) AS r (t)"""
hydrant = """
SELECT 'h1' AS device_id, t AS observed_at, t >= TIMESTAMPTZ '2026-03-26 10:00:00Z' AS open_state
FROM range(TIMESTAMPTZ '2026-03-26 00:00:00Z', TIMESTAMPTZ '2026-03-26 22:00:00Z', INTERVAL 1 HOUR) AS r (t)"""
*/
SELECT f.area_id AS asset, f.starts_at + INTERVAL 1 HOUR AS at, (f.starts_at + INTERVAL 1 HOUR) AT TIME ZONE r.zone AS local, f.flow_m3h, s.stored_m3
FROM inflow_hours AS f
LEFT JOIN district_stored(INTERVAL 1 HOUR) AS s ON s.area_id = f.area_id AND s.starts_at = f.starts_at
CROSS JOIN run AS r
WHERE f.starts_at + INTERVAL 1 HOUR <= r.as_of
