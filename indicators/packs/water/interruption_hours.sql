/*
id = "water.interruption_hours"
kind = "indicator"
version = 1
unit = "h"
grain = "area and town, local day"
reads = ["hydrant", "water_shaft", "district_meter", "inflow", "inflow_meters", "assignments", "things", "register_connections", "local_days", "municipality", "run"]
references = ["ISO 37120:2018 23.6 water interruption hours per household (number not verified): hours x connections / connections", "50 kPa as the pressure below which there is no supply: a convention, unverified; attribute no_supply_kpa of a point sets its own"]
cadence = "night"
reach = { before = 9, after = 1 }

[title]
en = "Interruption of water supply"
sl = "Prekinitve oskrbe z vodo"

[meaning]
en = "Hours of a local day without supply per connection: connection-hours over connections. Rule: an area is without supply in a quarter of an hour in which every pressure known in it (hydrants, shafts, district meters; a reading holds until the next, two hours at most) is below 50 kPa; where no pressure is known, in four successive quarters between 5 and 23 o'clock in which all its district meters speak and none has any flow, if it has at least 20 connections. Coverage is the share of the day that is known."
sl = "Ure krajevnega dneva brez oskrbe na priključek: priključek-ure na priključke. Pravilo: območje je brez oskrbe v četrt ure, v kateri so vsi znani tlaki na njem (hidranti, jaški, merilniki območij; odčitek velja do naslednjega, največ dve uri) pod 50 kPa; kjer tlak ni znan, pa v štirih zaporednih četrtinah med 5. in 23. uro, v katerih se oglašajo vsi merilniki območja in nobeden nima pretoka, če ima območje vsaj 20 priključkov. Pokritost je znani delež dneva."

[[example]]
title = "Two hydrants: for three hours neither has pressure, for one more only one of them"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = """
SELECT 'h' || i AS thing_id, 'hydrant' AS family, 'east' AS area_id, '{}' AS attributes FROM range(2) AS r (i)
UNION ALL SELECT 'house' || i, 'water_meter', 'east', '{}' FROM range(30) AS r (i)"""
assignments = """
SELECT 'd' || i AS device_id, 'h' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)
UNION ALL SELECT 'm' || i, 'house' || i, TIMESTAMPTZ '2026-01-01 00:00:00Z' FROM range(30) AS r (i)"""
hydrant = """
SELECT 'd' || i AS device_id, t AS observed_at, CASE WHEN hour(t) BETWEEN 8 AND 10 + i THEN 10.0 ELSE 400.0 END AS pressure_kpa
FROM range(TIMESTAMPTZ '2026-03-01 23:00:00Z', TIMESTAMPTZ '2026-03-02 23:00:00Z', INTERVAL 1 HOUR) AS r (t), range(2) AS h (i)"""
[[example.expect]]
subject_kind = "area"
subject_id = "east"
period_start = 2026-03-02
value = 3.0
numerator = 90.0
denominator = 30.0
coverage = 1.0
[[example.expect]]
subject_kind = "municipality"
subject_id = "town"
value = 3.0

[[example]]
title = "No pressure is known and the inlet stands still from noon to two; at night that says nothing"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = """
SELECT 'shaft' AS thing_id, 'district_meter' AS family, 'east' AS area_id, '{}' AS attributes
UNION ALL SELECT 'house' || i, 'water_meter', 'east', '{}' FROM range(30) AS r (i)"""
assignments = """
SELECT 'd1' AS device_id, 'shaft' AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from
UNION ALL SELECT 'm' || i, 'house' || i, TIMESTAMPTZ '2026-01-01 00:00:00Z' FROM range(30) AS r (i)"""
district_meter = """
SELECT 'd1' AS device_id, t AS observed_at, CASE WHEN hour(t) IN (1, 11, 12) THEN 0.0 ELSE 5.0 END AS flow_m3h
FROM range(TIMESTAMPTZ '2026-03-01 23:00:00Z', TIMESTAMPTZ '2026-03-02 23:00:00Z', INTERVAL 15 MINUTE) AS r (t)"""
[[example.expect]]
subject_id = "east"
value = 2.0
numerator = 60.0
[[example.expect]]
subject_id = "town"
value = 2.0

[[example]]
title = "Nobody knows of a connection there: no value"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = [{ thing_id = "h", family = "hydrant", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "d", thing_id = "h", valid_from = "2026-01-01T00:00:00Z" }]
hydrant = [{ device_id = "d", observed_at = "2026-03-02T12:00:00Z", pressure_kpa = 10.0 }]
*/
WITH reading AS (
    SELECT device_id, observed_at, pressure_kpa, quality FROM hydrant WHERE pressure_kpa IS NOT NULL
    UNION ALL SELECT device_id, observed_at, pressure_kpa, quality FROM water_shaft WHERE pressure_kpa IS NOT NULL
    UNION ALL SELECT device_id, observed_at, pressure_kpa, quality FROM district_meter WHERE pressure_kpa IS NOT NULL
),
pressure AS (
    SELECT t.area_id, a.thing_id, p.observed_at, p.pressure_kpa
            < coalesce(try_cast(json_extract_string(t.attributes, '$.no_supply_kpa') AS DOUBLE), 50) AS dry,
        least(p.observed_at + INTERVAL 2 HOUR, coalesce(lead(p.observed_at) OVER w, p.observed_at + INTERVAL 2 HOUR)) AS until
    FROM reading AS p
    JOIN assignments AS a ON a.device_id = p.device_id AND p.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR p.observed_at < a.valid_to)
    JOIN things AS t ON t.thing_id = a.thing_id
    WHERE p.quality NOT IN (4, 9) AND t.area_id IS NOT NULL
    WINDOW w AS (PARTITION BY a.thing_id, a.device_id, a.valid_from ORDER BY p.observed_at)
),
felt AS (  -- each quarter that a reading holds in
    SELECT area_id, dry, unnest(range(time_bucket(INTERVAL 15 MINUTE, observed_at + INTERVAL 14 MINUTE + INTERVAL 59 SECOND),
        until, INTERVAL 15 MINUTE)) AS starts_at
    FROM pressure
),
by_pressure AS (
    SELECT area_id, starts_at, bool_and(dry) AS dry FROM felt GROUP BY area_id, starts_at
),
flow AS (
    SELECT area_id, starts_at, meters = expected AS whole, meters = expected AND flow_m3h = 0 AS still,
        starts_at - INTERVAL 15 MINUTE * row_number() OVER (PARTITION BY area_id, meters = expected AND flow_m3h = 0 ORDER BY starts_at)
            AS stretch
    FROM inflow
),
by_flow AS (
    SELECT area_id, starts_at, still AND count(*) OVER (PARTITION BY area_id, still, stretch) >= 4 AS dry FROM flow WHERE whole
),
connection AS (
    SELECT t.area_id, a.thing_id AS connection_id, a.valid_from, a.valid_to
    FROM assignments AS a JOIN things AS t ON t.thing_id = a.thing_id AND t.family = 'water_meter'
    UNION ALL SELECT area_id, connection_id, valid_from, valid_to FROM register_connections
),
slot AS (
    SELECT coalesce(p.area_id, f.area_id) AS area_id, coalesce(p.starts_at, f.starts_at) AS starts_at,
        p.dry AS by_pressure, f.dry AS by_flow
    FROM by_pressure AS p FULL JOIN by_flow AS f ON f.area_id = p.area_id AND f.starts_at = p.starts_at
),
day AS (
    SELECT s.area_id, l.local_date, any_value(l.starts_at) AS starts_at, any_value(l.ends_at) AS ends_at, any_value(l.hours) AS hours,
        count(*) / 4 AS known, count(*) FILTER (by_pressure) / 4 AS dry_by_pressure,
        count(*) FILTER (by_pressure IS NULL AND by_flow AND hour(s.starts_at AT TIME ZONE r.zone) BETWEEN 5 AND 22) / 4 AS dry_by_flow
    FROM slot AS s CROSS JOIN run AS r
    JOIN local_days AS l ON l.local_date = CAST(s.starts_at AT TIME ZONE r.zone AS DATE)
    GROUP BY s.area_id, l.local_date
),
served AS (
    SELECT d.area_id, d.local_date, count(DISTINCT c.connection_id) AS connections
    FROM day AS d JOIN connection AS c ON c.area_id = d.area_id AND c.valid_from < d.ends_at
        AND (c.valid_to IS NULL OR c.valid_to > d.starts_at)
    GROUP BY d.area_id, d.local_date
),
area AS (
    SELECT d.area_id, d.local_date, s.connections, d.known / d.hours AS coverage,
        d.dry_by_pressure + CASE WHEN s.connections >= 20 THEN d.dry_by_flow ELSE 0 END AS dry
    FROM day AS d JOIN served AS s ON s.area_id = d.area_id AND s.local_date = d.local_date
),
place AS (
    SELECT 'area' AS subject_kind, area_id AS subject_id, * EXCLUDE (area_id) FROM area
    UNION ALL BY NAME
    SELECT 'municipality' AS subject_kind, m.name AS subject_id, a.* EXCLUDE (area_id) FROM area AS a CROSS JOIN municipality AS m
)
SELECT p.subject_kind, p.subject_id, p.local_date AS period_start, p.local_date + 1 AS period_end,
    sum(p.dry * p.connections) / sum(p.connections) AS value, sum(p.dry * p.connections) AS numerator,
    sum(p.connections) AS denominator, least(1, sum(p.coverage * p.connections) / sum(p.connections)) AS coverage,
    count(*) AS devices, 0.0 AS estimated_share
FROM place AS p CROSS JOIN run AS r
WHERE p.local_date < r.today
GROUP BY p.subject_kind, p.subject_id, p.local_date
ORDER BY subject_kind, subject_id, period_start
