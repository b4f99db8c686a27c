/*
id = "lighting.energy"
kind = "indicator"
version = 2
unit = "kW.h"
grain = "area and town, local day"
reads = ["indicator_values", "things", "assignments", "area_tree", "local_days", "municipality"]
needs = ["lighting.energy_luminaire"]
cadence = "night"
reach = { before = 0, after = 0 }

[title]
en = "Energy of street lighting"
sl = "Poraba energije javne razsvetljave"

[meaning]
en = "Energy that the luminaires of an area drew on a local day, from their registers. The denominator counts the luminaires that told, coverage is the share of the day of all luminaires with a device that is known: what silent ones drew is not in the sum."
sl = "Energija, ki so jo svetilke območja porabile v krajevnem dnevu, iz njihovih števcev. Imenovalec šteje svetilke, ki so poročale; pokritost je znani delež dneva vseh svetilk z napravo: poraba molčečih ni v vsoti."

[[example]]
title = "Two of three lamps told, one of them half of its day"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = "SELECT 'l' || i AS thing_id, 'streetlight' AS family, 'east' AS area_id, '{}' AS attributes FROM range(3) AS r (i)"
assignments = "SELECT 'd' || i AS device_id, 'l' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(3) AS r (i)"
indicator_values = """
SELECT 'lighting.energy_luminaire' AS indicator, 'thing' AS subject_kind, 'l' || i AS subject_id, DATE '2026-03-02' AS period_start,
    DATE '2026-03-03' AS period_end, 0.4 / (1 + i) AS value, 1.0 / (1 + i) AS coverage, CAST(i AS DOUBLE) AS estimated_share FROM range(2) AS r (i)"""
[[example.expect]]
subject_kind = "area"
subject_id = "east"
period_start = 2026-03-02
value = 0.6
denominator = 2.0
coverage = 0.5
devices = 2
estimated_share = 0.333333333
[[example.expect]]
subject_kind = "municipality"
subject_id = "town"
value = 0.6
*/
WITH told AS (
    SELECT subject_id AS thing_id, period_start AS local_date, CAST(value AS DECIMAL(18, 6)) AS kwh, coverage, estimated_share
    FROM indicator_values WHERE indicator = 'lighting.energy_luminaire' AND value IS NOT NULL
),
lamp AS (
    SELECT DISTINCT d.local_date, t.thing_id, t.area_id
    FROM (SELECT DISTINCT local_date FROM told) AS d
    JOIN local_days AS l ON l.local_date = d.local_date
    JOIN assignments AS a ON a.valid_from < l.ends_at AND (a.valid_to IS NULL OR a.valid_to > l.starts_at)
    JOIN things AS t ON t.thing_id = a.thing_id AND t.family = 'streetlight'
),
known AS (
    SELECT l.*, e.kwh, e.coverage, CAST(e.kwh * e.estimated_share AS DECIMAL(18, 6)) AS estimated_kwh
    FROM lamp AS l LEFT JOIN told AS e ON e.thing_id = l.thing_id AND e.local_date = l.local_date
),
place AS (
    SELECT 'area' AS subject_kind, t.ancestor_id AS subject_id, k.* FROM known AS k JOIN area_tree AS t ON t.area_id = k.area_id
    UNION ALL
    SELECT 'municipality', m.name, k.* FROM known AS k CROSS JOIN municipality AS m
)
SELECT subject_kind, subject_id, local_date AS period_start, local_date + 1 AS period_end,
    sum(kwh) AS value, sum(kwh) AS numerator, count(kwh) AS denominator, coalesce(sum(coverage), 0) / count(*) AS coverage,
    count(kwh) AS devices, coalesce(sum(estimated_kwh) / nullif(sum(kwh), 0), 0) AS estimated_share
FROM place
GROUP BY subject_kind, subject_id, local_date
HAVING count(kwh) > 0
ORDER BY subject_kind, subject_id, period_start
