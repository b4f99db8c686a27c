/*
id = "water.consumption_resident"
kind = "indicator"
version = 1
unit = "L/d"
grain = "area and town, local day"
reads = ["indicator_values", "areas", "area_tree", "municipality", "run"]
needs = ["water.consumption_area"]
references = ["ISO 37120:2018 23.5 total water consumption per capita (number not verified)"]
cadence = "night"
reach = { before = 0, after = 0 }

[title]
en = "Water consumption per resident"
sl = "Poraba vode na prebivalca"

[meaning]
en = "Metered consumption of an area on a local day, businesses included, per resident as the register of areas counts them: an area's own population, or else that of the areas in it. Without a population there is no value; coverage is that of the consumption."
sl = "Izmerjena poraba območja v krajevnem dnevu, skupaj s podjetji, na prebivalca po registru območij: lastno število prebivalcev, sicer prebivalci območij v njem. Brez števila prebivalcev vrednosti ni; pokritost je pokritost porabe."

[[example]]
title = "600 m3 for 5000 residents of the east; nobody has counted those of the west"
as_of = 2026-03-03T12:00:00Z
[example.given]
areas = [{ area_id = "town-zone" }, { area_id = "east", parent_id = "town-zone", population = 5000 }, { area_id = "west" }]
indicator_values = """
SELECT 'water.consumption_area' AS indicator, k AS subject_kind, a AS subject_id, DATE '2026-03-02' AS period_start, DATE '2026-03-03' AS period_end,
    v AS value, 0.98 AS coverage, 1800 AS devices, 0.02 AS estimated_share
FROM (VALUES ('area', 'east', 600.0), ('area', 'west', 40.0), ('area', 'town-zone', 600.0), ('municipality', 'town', 640.0)) AS x (k, a, v)"""
[[example.expect]]
subject_kind = "area"
subject_id = "east"
period_start = 2026-03-02
value = 120.0
numerator = 600000.0
denominator = 5000.0
coverage = 0.98
[[example.expect]]
subject_id = "town-zone"
value = 120.0
[[example.expect]]
subject_kind = "municipality"
subject_id = "town"
value = 128.0
*/
WITH counted AS (  -- populations that lie in no other one
    SELECT a.area_id, a.population FROM areas AS a
    WHERE a.population > 0 AND NOT EXISTS (FROM area_tree AS t JOIN areas AS p ON p.area_id = t.ancestor_id
        WHERE t.area_id = a.area_id AND t.ancestor_id <> a.area_id AND p.population > 0)
),
residents AS (
    SELECT 'area' AS subject_kind, area_id AS subject_id, population FROM areas WHERE population > 0
    UNION ALL BY NAME
    SELECT 'area' AS subject_kind, t.ancestor_id AS subject_id, sum(c.population) AS population
    FROM counted AS c JOIN area_tree AS t ON t.area_id = c.area_id AND t.ancestor_id <> c.area_id
    GROUP BY t.ancestor_id
    UNION ALL BY NAME
    SELECT 'municipality' AS subject_kind, m.name AS subject_id, sum(c.population) AS population
    FROM counted AS c CROSS JOIN municipality AS m GROUP BY m.name
)
SELECT v.subject_kind, v.subject_id, v.period_start, v.period_end, 1000 * v.value / p.population AS value,
    1000 * v.value AS numerator, p.population AS denominator, v.coverage, v.devices, v.estimated_share
FROM indicator_values AS v
JOIN residents AS p ON p.subject_kind = v.subject_kind AND p.subject_id = v.subject_id
CROSS JOIN run AS r
WHERE v.indicator = 'water.consumption_area' AND v.value IS NOT NULL AND v.period_start < r.today
ORDER BY subject_kind, subject_id, period_start
