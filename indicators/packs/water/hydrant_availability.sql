/*
id = "water.hydrant_availability"
kind = "indicator"
version = 2
unit = "%"
grain = "area and town, local day"
reads = ["hydrant", "assignments", "things", "area_tree", "local_days", "municipality", "run"]
references = ["250 kPa (0.25 MPa) as the least pressure: unverified, check it against the fire regulation in force; attribute min_pressure_kpa of a hydrant sets its own"]
cadence = "night"
reach = { before = 0, after = 0 }

[title]
en = "Hydrant availability"
sl = "Razpoložljivost hidrantov"

[meaning]
en = "Share of the hydrants heard on a local day whose median pressure reached their limit: attribute min_pressure_kpa, or else 250 kPa. Hydrants with a device that were silent stand in coverage, not in the value."
sl = "Delež hidrantov, slišanih v krajevnem dnevu, katerih mediana tlaka je dosegla njihovo mejo: atribut min_pressure_kpa, sicer 250 kPa. Hidranti z napravo, ki so molčali, so v pokritosti in ne v vrednosti."

[[example]]
title = "One of two hydrants has pressure, a third is silent, a fourth is content with less"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = """SELECT 'h' || i AS thing_id, 'hydrant' AS family, 'east' AS area_id, CASE WHEN i = 3 THEN '{"min_pressure_kpa": "150"}' ELSE '{}' END AS attributes FROM range(4) AS r (i)"""
assignments = "SELECT 'd' || i AS device_id, 'h' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(4) AS r (i)"
hydrant = [{ device_id = "d0", observed_at = "2026-03-02T12:00:00Z", pressure_kpa = 400.0 }, { device_id = "d1", observed_at = "2026-03-02T12:00:00Z", pressure_kpa = 180.0 }, { device_id = "d3", observed_at = "2026-03-02T12:00:00Z", pressure_kpa = 180.0 }]
[[example.expect]]
subject_kind = "area"
subject_id = "east"
period_start = 2026-03-02
value = 66.666666667
numerator = 2.0
denominator = 3.0
coverage = 0.75
devices = 3
[[example.expect]]
subject_kind = "municipality"
subject_id = "town"
denominator = 3.0

[[example]]
title = "No hydrant was heard: no value"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = [{ thing_id = "h", family = "hydrant", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "d", thing_id = "h", valid_from = "2026-01-01T00:00:00Z" }]
*/
WITH pressure AS (
    SELECT t.thing_id, t.area_id, CAST(h.observed_at AT TIME ZONE r.zone AS DATE) AS local_date,
        median(h.pressure_kpa) >= coalesce(try_cast(json_extract_string(any_value(t.attributes), '$.min_pressure_kpa') AS DOUBLE), 250)
            AS enough
    FROM hydrant AS h
    JOIN assignments AS a ON a.device_id = h.device_id AND h.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR h.observed_at < a.valid_to)
    JOIN things AS t ON t.thing_id = a.thing_id
    CROSS JOIN run AS r
    WHERE h.pressure_kpa IS NOT NULL AND h.quality NOT IN (4, 9)
    GROUP BY t.thing_id, t.area_id, local_date
),
registered AS (
    SELECT DISTINCT l.local_date, t.area_id, t.thing_id
    FROM (SELECT DISTINCT local_date FROM pressure) AS d
    JOIN local_days AS l ON l.local_date = d.local_date
    JOIN assignments AS a ON a.valid_from < l.ends_at AND (a.valid_to IS NULL OR a.valid_to > l.starts_at)
    JOIN things AS t ON t.thing_id = a.thing_id AND t.family = 'hydrant'
),
hydrants AS (
    SELECT g.*, p.enough FROM registered AS g LEFT JOIN pressure AS p ON p.thing_id = g.thing_id AND p.local_date = g.local_date
),
place AS (
    SELECT 'area' AS subject_kind, e.ancestor_id AS subject_id, h.* FROM hydrants AS h JOIN area_tree AS e ON e.area_id = h.area_id
    UNION ALL
    SELECT 'municipality', m.name, h.* FROM hydrants AS h CROSS JOIN municipality AS m
)
SELECT subject_kind, subject_id, local_date AS period_start, local_date + 1 AS period_end,
    100.0 * count(*) FILTER (enough) / count(enough) AS value, count(*) FILTER (enough) AS numerator,
    count(enough) AS denominator, count(enough) / count(*) AS coverage, count(enough) AS devices, 0.0 AS estimated_share
FROM place CROSS JOIN run AS r
WHERE local_date < r.today
GROUP BY subject_kind, subject_id, local_date
HAVING count(enough) > 0
ORDER BY subject_kind, subject_id, period_start
