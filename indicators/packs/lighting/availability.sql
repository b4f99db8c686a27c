/*
id = "lighting.availability"
kind = "indicator"
version = 2
unit = "%"
grain = "area and town, local night"
reads = ["streetlight", "lamp_nights", "local_days", "assignments", "things", "area_tree", "municipality", "run"]
references = ["Lamp availability = working hours / scheduled hours; the schedule is the sun's"]
cadence = "night"
reach = { before = 1, after = 1 }

[title]
en = "Availability of street lighting"
sl = "Razpoložljivost javne razsvetljave"

[meaning]
en = "Hours in which the luminaires burned over the hours in which they should have: from 30 min after sunset to 30 min before sunrise, as far as their reports account for it (a report holds until the next, two hours at most), without those in which dim_pct 0 was wanted. Power under a tenth of the nominal is dark. The period is the local day on which the night begins; coverage is the share of the night's hours of all luminaires with a device that is known."
sl = "Ure, v katerih so svetilke gorele, glede na ure, v katerih bi morale: od 30 min po sončnem zahodu do 30 min pred vzhodom, kolikor jih pojasnijo poročila (poročilo velja do naslednjega, največ dve uri), brez tistih z želenim dim_pct 0. Moč pod desetino nazivne pomeni temno. Obdobje je krajevni dan, v katerem se noč začne; pokritost je znani delež ur noči vseh svetilk z napravo."

[[example]]
title = "One of two lamps is dark, the other is switched off on purpose for two hours; what is reported by day does not count"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = """SELECT 'l' || i AS thing_id, 'streetlight' AS family, 'east' AS area_id, '{"nominal_power_w": "40"}' AS attributes FROM range(2) AS r (i)"""
assignments = "SELECT 'd' || i AS device_id, 'l' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
streetlight = """
SELECT 'd' || i AS device_id, t AS observed_at, CASE WHEN i = 0 AND hour(t) NOT BETWEEN 6 AND 16 AND NOT hour(t) IN (1, 2) THEN 39.0 ELSE 0.5 END AS power_w,
    CASE WHEN i = 0 AND hour(t) IN (1, 2) THEN 0 END AS dim_pct
FROM range(TIMESTAMPTZ '2026-03-02 12:00:00Z', TIMESTAMPTZ '2026-03-03 12:00:00Z', INTERVAL 1 HOUR) AS r (t), range(2) AS l (i)"""
[[example.expect]]
subject_kind = "area"
subject_id = "east"
period_start = 2026-03-02
value = 45.378749529
devices = 2
coverage = 1.0
[[example.expect]]
subject_kind = "municipality"
subject_id = "town"

[[example]]
title = "One of two lamps is silent: half of the hours are known, and of those all are light"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = """SELECT 'l' || i AS thing_id, 'streetlight' AS family, 'east' AS area_id, '{"nominal_power_w": "40"}' AS attributes FROM range(2) AS r (i)"""
assignments = "SELECT 'd' || i AS device_id, 'l' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
streetlight = """
SELECT 'd0' AS device_id, t AS observed_at, 39.0 AS power_w
FROM range(TIMESTAMPTZ '2026-03-02 12:00:00Z', TIMESTAMPTZ '2026-03-03 12:00:00Z', INTERVAL 1 HOUR) AS r (t)"""
[[example.expect]]
subject_id = "east"
value = 100.0
coverage = 0.5
[[example.expect]]
subject_id = "town"
*/
WITH lamp AS (
    SELECT n.* FROM lamp_nights AS n CROSS JOIN run AS r WHERE n.dawn <= r.as_of
),
place AS (
    SELECT 'area' AS subject_kind, e.ancestor_id AS subject_id, l.* FROM lamp AS l JOIN area_tree AS e ON e.area_id = l.area_id
    UNION ALL
    SELECT 'municipality', m.name, l.* FROM lamp AS l CROSS JOIN municipality AS m
),
registered AS (  -- luminaires with a device in that night, by area and (null) in the town
    SELECT e.ancestor_id AS area_id, d.local_date, count(DISTINCT a.thing_id) AS lamps
    FROM (SELECT DISTINCT local_date FROM lamp) AS d
    JOIN local_days AS n ON n.local_date = d.local_date
    JOIN assignments AS a ON a.valid_from < n.ends_at AND (a.valid_to IS NULL OR a.valid_to > n.sunset)
    JOIN things AS t ON t.thing_id = a.thing_id AND t.family = 'streetlight'
    JOIN (FROM area_tree UNION ALL SELECT DISTINCT area_id, NULL FROM area_tree UNION ALL SELECT NULL, NULL) AS e
        ON e.area_id IS NOT DISTINCT FROM t.area_id
    GROUP BY e.ancestor_id, d.local_date
)
SELECT p.subject_kind, p.subject_id, p.local_date AS period_start, p.local_date + 1 AS period_end,
    100 * sum(p.burning_h) / sum(p.known_h - p.resting_h) AS value, sum(p.burning_h) AS numerator,
    sum(p.known_h - p.resting_h) AS denominator,
    least(1, sum(p.known_h) / (any_value(g.lamps) * any_value(p.scheduled_h))) AS coverage, count(*) AS devices,
    0.0 AS estimated_share
FROM place AS p
JOIN registered AS g ON g.local_date = p.local_date
    AND g.area_id IS NOT DISTINCT FROM CASE WHEN p.subject_kind = 'area' THEN p.subject_id END
GROUP BY p.subject_kind, p.subject_id, p.local_date
HAVING sum(p.known_h - p.resting_h) > 0
ORDER BY subject_kind, subject_id, period_start
