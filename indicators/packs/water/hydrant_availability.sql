/*
id = "water.hydrant_availability"
kind = "indicator"
version = 1
unit = "%"
grain = "area, local day"
reads = ["hydrant", "assignments", "things", "run"]
references = ["Limit 250 kPa (0.25 MPa); check it against the fire regulation in force"]
cadence = "night"

[title]
en = "Hydrant availability"
sl = "Razpoložljivost hidrantov"

[meaning]
en = "Share of the hydrants heard on a local day whose median pressure was at least 250 kPa. Hydrants that were silent stand in coverage, not in the value."
sl = "Delež hidrantov, slišanih v krajevnem dnevu, katerih mediana tlaka je bila vsaj 250 kPa. Hidranti, ki so molčali, so v pokritosti in ne v vrednosti."

[[example]]
title = "One of two hydrants has pressure, a third is silent"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = "SELECT 'h' || i AS thing_id, 'hydrant' AS family, 'east' AS area_id, '{}' AS attributes FROM range(3) AS r (i)"
assignments = "SELECT 'd' || i AS device_id, 'h' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(3) AS r (i)"
hydrant = [{ device_id = "d0", observed_at = "2026-03-02T12:00:00Z", pressure_kpa = 400.0 }, { device_id = "d1", observed_at = "2026-03-02T12:00:00Z", pressure_kpa = 180.0 }]
[[example.expect]]
subject_id = "east"
period_start = 2026-03-02
value = 50.0
numerator = 1.0
denominator = 2.0
coverage = 0.6666666666666666
devices = 2
*/
WITH pressure AS (
    SELECT t.area_id, t.thing_id, CAST(h.observed_at AT TIME ZONE r.zone AS DATE) AS local_date, median(h.pressure_kpa) AS kpa
    FROM hydrant AS h
    JOIN assignments AS a ON a.device_id = h.device_id AND h.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR h.observed_at < a.valid_to)
    JOIN things AS t ON t.thing_id = a.thing_id
    CROSS JOIN run AS r
    WHERE h.pressure_kpa IS NOT NULL AND h.quality NOT IN (4, 9) AND t.area_id IS NOT NULL
    GROUP BY t.area_id, t.thing_id, local_date
),
registered AS (
    SELECT d.area_id, d.local_date, count(DISTINCT a.thing_id) AS things
    FROM (SELECT DISTINCT area_id, local_date FROM pressure) AS d
    JOIN things AS t ON t.area_id = d.area_id AND t.family = 'hydrant'
    JOIN assignments AS a ON a.thing_id = t.thing_id AND a.valid_from < d.local_date + 1
        AND (a.valid_to IS NULL OR a.valid_to > d.local_date)
    GROUP BY d.area_id, d.local_date
)
SELECT 'area' AS subject_kind, p.area_id AS subject_id, p.local_date AS period_start, p.local_date + 1 AS period_end,
    100.0 * count(*) FILTER (WHERE p.kpa >= 250) / count(*) AS value,
    count(*) FILTER (WHERE p.kpa >= 250) AS numerator, count(*) AS denominator,
    count(*) / any_value(g.things) AS coverage, count(*) AS devices, 0.0 AS estimated_share
FROM pressure AS p
JOIN registered AS g ON g.area_id = p.area_id AND g.local_date = p.local_date
CROSS JOIN run AS r
WHERE p.local_date < r.today
GROUP BY p.area_id, p.local_date
ORDER BY subject_id, period_start
