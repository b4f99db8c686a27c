/*
id = "buildings.heat_m2_year"
kind = "indicator"
version = 1
unit = "kW.h/m2"
grain = "building, local year"
personal = true
reads = ["indicator_values", "things", "local_periods", "run"]
needs = ["buildings.heat"]
references = ["ISO 37120:2018 7.5 asks for GJ/m2 over all public buildings (unverified)", "90 % of the days: a convention, unverified; no correction by degree days"]
cadence = "night"
period = "year"
own = true
reach = { before = 0, after = 0 }

[title]
en = "Heat per square metre and year"
sl = "Toplota na kvadratni meter in leto"

[meaning]
en = "Heat of the known days of a whole local year over the heated area (attribute heated_area_m2; without it no value). The denominator is the area; coverage is the share of the year's days that is known: what is missing is not in the sum, and below 90 % there is no value."
sl = "Toplota znanih dni celega krajevnega leta na ogrevano površino (atribut heated_area_m2; brez njega vrednosti ni). Imenovalec je površina; pokritost je znani delež dni leta: manjkajočega ni v vsoti, pod 90 % pa vrednosti ni."

[[example]]
title = "329 of 365 days are known: their sum over the area"
as_of = 2026-01-02T12:00:00Z
[example.given]
things = """SELECT 'x' || i AS thing_id, 'heat_meter' AS family, CASE WHEN i = 0 THEN '{"heated_area_m2": "100"}' ELSE '{}' END AS attributes FROM range(2) AS r (i)"""
indicator_values = """
SELECT 'buildings.heat' AS indicator, 'thing' AS subject_kind, 'x' || i AS subject_id, d::DATE AS period_start, d::DATE + 1 AS period_end, 10.0 AS value, 1.0 AS coverage, 0.0 AS estimated_share
FROM range(TIMESTAMP '2025-01-01', TIMESTAMP '2025-11-26', INTERVAL 1 DAY) AS r (d), range(2) AS x (i)"""
[[example.expect]]
subject_kind = "thing"
subject_id = "x0"
period_start = 2025-01-01
value = 32.9
numerator = 3290.0
denominator = 100.0
coverage = 0.901369863

[[example]]
title = "One day fewer: no value"
as_of = 2026-01-02T12:00:00Z
[example.given]
things = """SELECT 'x' || i AS thing_id, 'heat_meter' AS family, CASE WHEN i = 0 THEN '{"heated_area_m2": "100"}' ELSE '{}' END AS attributes FROM range(2) AS r (i)"""
indicator_values = """
SELECT 'buildings.heat' AS indicator, 'thing' AS subject_kind, 'x' || i AS subject_id, d::DATE AS period_start, d::DATE + 1 AS period_end, 10.0 AS value, 1.0 AS coverage, 0.0 AS estimated_share
FROM range(TIMESTAMP '2025-01-01', TIMESTAMP '2025-11-25', INTERVAL 1 DAY) AS r (d), range(2) AS x (i)"""
*/
WITH building AS (
    SELECT thing_id, try_cast(json_extract_string(attributes, '$.heated_area_m2') AS DOUBLE) AS area_m2 FROM things
)
SELECT 'thing' AS subject_kind, v.subject_id, p.starts_on AS period_start, p.ends_on AS period_end,
    CAST(sum(CAST(v.value AS DECIMAL(18, 6))) AS DOUBLE) / any_value(b.area_m2) AS value, sum(CAST(v.value AS DECIMAL(18, 6))) AS numerator,
    any_value(b.area_m2) AS denominator, least(1, sum(CAST(v.coverage AS DECIMAL(18, 6))) / any_value(p.days)) AS coverage, 1 AS devices,
    CAST(coalesce(sum(CAST(v.value * v.estimated_share AS DECIMAL(18, 6))) / nullif(sum(CAST(v.value AS DECIMAL(18, 6))), 0), 0) AS DOUBLE) AS estimated_share
FROM indicator_values AS v
JOIN building AS b ON b.thing_id = v.subject_id AND b.area_m2 > 0
JOIN local_periods AS p ON p.period = 'year' AND p.starts_on = CAST(date_trunc('year', v.period_start) AS DATE)
CROSS JOIN run AS r
WHERE v.indicator = 'buildings.heat' AND v.value IS NOT NULL AND p.ends_on <= r.today
GROUP BY v.subject_id, p.starts_on, p.ends_on
HAVING sum(v.coverage) >= 0.9 * any_value(p.days)
ORDER BY subject_id, period_start
