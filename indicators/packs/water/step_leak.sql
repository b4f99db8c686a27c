/*
id = "water.step_leak"
kind = "detector"
version = 1
grain = "area"
reads = ["inflow", "inflow_slots", "district_meter", "assignments", "things", "run"]
references = ["Head losses divided by the flow to the power 1.852 (Hazen-Williams), against their own slots of the week, whitened by what always remains, over 3 h to 4 days. docs/detection.md has what it finds"]
cadence = "hour"
method = "step_leak"
subject = "area"
memory_days = 90
explains = ["water.district_leak", "water.pressure_leak", "water.burst"]

[title]
en = "Leak that shifts head losses"
sl = "Puščanje, ki premakne tlačne izgube"

[meaning]
en = "In a district fed from one side, the head losses to its sensors no longer go with the inflow and with one another as they did in the four weeks before: water leaves at one place. It says when that began and when it was over. It needs the inflow, pressures at two places or more and two weeks to learn; hours with less than 15 m of pressure at a sensor do not count."
sl = "V območju, napajanem z ene strani, tlačne izgube do tipal niso več v takem razmerju z dotokom in med seboj kot v štirih tednih prej: voda odteka na enem mestu. Pove, kdaj se je to začelo in kdaj končalo. Potrebuje dotok, tlake na vsaj dveh mestih in dva tedna za učenje; ure z manj kot 15 m tlaka na katerem od tipal ne štejejo."

[says.what]
en = "Leak in the network, seen by head losses"
sl = "Puščanje v omrežju, vidno v tlačnih izgubah"

[says.why]
en = "The head loss to {sensor} at the same inflow has changed by {change_pct:.1f} %; over all sensors together and {window_h:.0f} h this is {score:.0f} standard deviations of chance."
sl = "Tlačna izguba do {sensor} se je pri enakem dotoku spremenila za {change_pct:.1f} %; pri vseh tipalih skupaj in v {window_h:.0f} h je to {score:.0f} standardnih odklonov naključja."

[says.chart]
en = "head loss to that sensor at the same inflow, daily, % of usual"
sl = "tlačna izguba do tega tipala pri enakem dotoku, po dnevih, % običajne"

[[example]]
title = "A tenth more flows in and the loss to one of two sensors grows by a fifth, for two days"
as_of = 2026-03-22T06:00:00Z
[example.given]
areas = [{ area_id = "east" }]
things = [{ thing_id = "shaft", family = "district_meter", area_id = "east", attributes = "{}" }, { thing_id = "p1", family = "district_meter", area_id = "east", attributes = '{"direction": "none"}' }, { thing_id = "p2", family = "district_meter", area_id = "east", attributes = '{"direction": "none"}' }]
assignments = [{ device_id = "d1", thing_id = "shaft", valid_from = "2026-01-01T00:00:00Z" }, { device_id = "d2", thing_id = "p1", valid_from = "2026-01-01T00:00:00Z" }, { device_id = "d3", thing_id = "p2", valid_from = "2026-01-01T00:00:00Z" }]
district_meter = """
SELECT device_id, t AS observed_at, CASE WHEN device_id = 'd1' THEN q END AS flow_m3h,
    CASE WHEN device_id <> 'd1' THEN 600 - 100 * pow(q / 30, 1.852) * (1 + CASE WHEN device_id = 'd2' THEN leak * 2 ELSE 0 END)
        * (1 + (hash(device_id, t) % 1000) / 50000) END AS pressure_kpa
FROM (
    SELECT t, leak, (30 + 12 * sin(epoch(t) / 86400 * 2 * pi())) * (1 + leak) * (1 + (hash(t) % 1000) / 50000) AS q
    FROM (SELECT t, CASE WHEN t BETWEEN TIMESTAMPTZ '2026-03-18 09:00:00Z' AND TIMESTAMPTZ '2026-03-20 09:00:00Z' THEN 0.1 ELSE 0 END AS leak
        FROM range(TIMESTAMPTZ '2026-03-01 00:00:00Z', TIMESTAMPTZ '2026-03-22 06:00:00Z', INTERVAL 15 MINUTE) AS r (t))
) CROSS JOIN (VALUES ('d1'), ('d2'), ('d3')) AS v (device_id)"""
[[example.expect]]
area_id = "east"
since = 2026-03-18T07:00:00Z
until = 2026-03-20T13:00:00Z
severity = "warning"
going_on = false
*/
SELECT i.area_id AS asset, i.starts_at + INTERVAL 15 MINUTE AS "at", (i.starts_at + INTERVAL 15 MINUTE) AT TIME ZONE r.zone AS local,
    i.flow_m3h, p.sensors, p.pressures
FROM inflow AS i
JOIN district_points(INTERVAL 15 MINUTE, INTERVAL 0 MINUTE) AS p ON p.area_id = i.area_id AND p.starts_at = i.starts_at
CROSS JOIN run AS r
WHERE i.meters = i.expected AND i.starts_at + INTERVAL 15 MINUTE <= r.as_of
