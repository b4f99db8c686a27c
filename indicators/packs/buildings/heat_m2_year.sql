/*
id = "buildings.heat_m2_year"
kind = "indicator"
version = 1
unit = "kW.h/m2"
grain = "building, local year"
personal = true
reads = ["stored_periods", "indicator_values", "things", "local_periods", "run"]
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
title = "A tenth of the year is estimated; the other building says no area"
as_of = 2026-01-02T12:00:00Z
given.things = """SELECT 'x' || i AS thing_id, 'heat_meter' AS family, CASE WHEN i = 0 THEN '{"heated_area_m2": "50"}' ELSE '{}' END AS attributes FROM range(2) AS r (i)"""
given.indicator_values = "SELECT 'buildings.heat' AS indicator, 'thing' AS subject_kind, 'x' || i AS subject_id, d::DATE AS period_start, 10.0 AS value, 1.0 AS coverage, 0.1 AS estimated_share FROM range(TIMESTAMP '2025-01-01', TIMESTAMP '2026-01-01', INTERVAL 1 DAY) AS r (d), range(2) AS x (i)"
expect = [{ subject_id = "x0", value = 73.0, numerator = 3650.0, denominator = 50.0, estimated_share = 0.1 }]
*/
WITH building AS (
    SELECT thing_id, try_cast(json_extract_string(attributes, '$.heated_area_m2') AS DOUBLE) AS area_m2 FROM things
)
SELECT p.subject_kind, p.subject_id, p.period_start, p.period_end, p.total / b.area_m2 AS value, p.total AS numerator,
    b.area_m2 AS denominator, least(1, p.coverage) AS coverage, 1 AS devices, coalesce(p.estimated_total / nullif(p.total, 0), 0) AS estimated_share
FROM stored_periods('buildings.heat', 'year') AS p JOIN building AS b ON b.thing_id = p.subject_id AND b.area_m2 > 0 CROSS JOIN run AS r
WHERE p.period_end <= r.today AND p.coverage >= 0.9
ORDER BY subject_id, period_start
