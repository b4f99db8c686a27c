/*
id = "lighting.dimming_saving"
kind = "indicator"
version = 1
unit = "%"
grain = "area and town, local night"
reads = ["streetlight", "lamp_nights", "local_days", "assignments", "things", "area_tree", "municipality", "run"]
references = ["Saving = 1 - energy drawn while burning / nominal power over the same hours"]
cadence = "night"
reach = { before = 1, after = 1 }

[title]
en = "Saving by dimming"
sl = "Prihranek z zatemnitvijo"

[meaning]
en = "What the luminaires drew less in a night than their nominal power would have in the hours in which they burned. Only luminaires with a measured and a nominal power count: coverage is their share of those that burned. A saving below 0 means that lamps draw more than their nominal power."
sl = "Koliko manj so svetilke porabile v noči, kot bi porabile z nazivno močjo v urah, ko so gorele. Štejejo le svetilke z izmerjeno in nazivno močjo: pokritost je njihov delež med tistimi, ki so gorele. Prihranek pod 0 pomeni, da svetilke trošijo več od nazivne moči."

[[example]]
title = "Full power for half of the reports, a half of it in the others; a lamp without nominal power does not count"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = """SELECT 'l' || i AS thing_id, 'streetlight' AS family, 'east' AS area_id, CASE WHEN i = 0 THEN '{"nominal_power_w": "40"}' ELSE '{}' END AS attributes FROM range(2) AS r (i)"""
assignments = "SELECT 'd' || i AS device_id, 'l' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
streetlight = """
SELECT 'd' || i AS device_id, t AS observed_at, CASE WHEN hour(t) % 2 = 0 THEN 40.0 ELSE 20.0 END AS power_w
FROM range(TIMESTAMPTZ '2026-03-02 18:00:00Z', TIMESTAMPTZ '2026-03-03 02:00:00Z', INTERVAL 30 MINUTE) AS r (t), range(2) AS l (i)
UNION ALL SELECT 'd' || i, TIMESTAMPTZ '2026-03-03 02:00:00Z', 0.0 FROM range(2) AS l (i)"""
[[example.expect]]
subject_kind = "area"
subject_id = "east"
period_start = 2026-03-02
value = 25.0
numerator = 0.08
denominator = 0.32
coverage = 0.5
devices = 1
[[example.expect]]
subject_kind = "municipality"
subject_id = "town"

[[example]]
title = "Every lamp is dark: no value"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = """SELECT 'l' || i AS thing_id, 'streetlight' AS family, 'east' AS area_id, '{"nominal_power_w": "40"}' AS attributes FROM range(2) AS r (i)"""
assignments = "SELECT 'd' || i AS device_id, 'l' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
streetlight = """
SELECT 'd0' AS device_id, t AS observed_at, 0.4 AS power_w
FROM range(TIMESTAMPTZ '2026-03-02 12:00:00Z', TIMESTAMPTZ '2026-03-03 12:00:00Z', INTERVAL 1 HOUR) AS r (t)"""
*/
WITH lamp AS (
    SELECT n.* FROM lamp_nights AS n CROSS JOIN run AS r WHERE n.dawn <= r.as_of AND n.burning_h > 0
),
place AS (
    SELECT 'area' AS subject_kind, e.ancestor_id AS subject_id, l.* FROM lamp AS l JOIN area_tree AS e ON e.area_id = l.area_id
    UNION ALL
    SELECT 'municipality', m.name, l.* FROM lamp AS l CROSS JOIN municipality AS m
)
SELECT subject_kind, subject_id, local_date AS period_start, local_date + 1 AS period_end,
    100 * (1 - sum(energy_wh) FILTER (nominal_wh > 0) / sum(nominal_wh)) AS value,
    (sum(nominal_wh) - sum(energy_wh) FILTER (nominal_wh > 0)) / 1000 AS numerator, sum(nominal_wh) / 1000 AS denominator,
    count(*) FILTER (nominal_wh > 0) / count(*) AS coverage, count(*) FILTER (nominal_wh > 0) AS devices, 0.0 AS estimated_share
FROM place
GROUP BY subject_kind, subject_id, local_date
HAVING sum(nominal_wh) > 0
ORDER BY subject_kind, subject_id, period_start
