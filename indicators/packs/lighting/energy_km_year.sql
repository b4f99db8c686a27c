/*
id = "lighting.energy_km_year"
kind = "indicator"
version = 1
unit = "kW.h/km"
grain = "area and town, local year"
reads = ["indicator_values", "register_roads", "area_tree", "local_periods", "municipality", "run"]
needs = ["lighting.energy"]
references = ["ISO 37120:2018 7.6 electricity of street lighting per kilometre of lit street (number not verified)"]
cadence = "night"
period = "year"
reach = { before = 0, after = 0 }

[title]
en = "Energy per kilometre of lit road in a year"
sl = "Energija na kilometer osvetljene ceste v letu"

[meaning]
en = "Energy of street lighting in a whole local year per kilometre of lit road at its end: the mean of the days with a value times the days of the year. There is no value where fewer than three quarters of the days have one."
sl = "Energija javne razsvetljave v celem krajevnem letu na kilometer osvetljene ceste ob njegovem koncu: povprečje dni z vrednostjo, pomnoženo s številom dni. Vrednosti ni, če jo ima manj kot tri četrtine dni."

[[example]]
title = "2000 m of a lit road, 500 m of one that is not, and an area without lit roads"
as_of = 2027-01-02T12:00:00Z
[example.given]
register_roads = """
SELECT 'r' || i AS road_id, 'east' AS area_id, TIMESTAMPTZ '2025-01-01 00:00:00Z' AS valid_from, CASE i WHEN 0 THEN 2000.0 ELSE 500.0 END AS length_m, i = 0 AS lit FROM range(2) AS r (i)"""
areas = [{ area_id = "east" }, { area_id = "west" }]
indicator_values = """
SELECT 'lighting.energy' AS indicator, 'area' AS subject_kind, a AS subject_id, d::DATE AS period_start, d::DATE + 1 AS period_end,
    12.0 AS value, 1.0 AS coverage, 40 AS devices, 0.0 AS estimated_share
FROM range(TIMESTAMP '2026-01-01', TIMESTAMP '2027-01-01', INTERVAL 1 DAY) AS r (d), (VALUES ('east'), ('west')) AS x (a) """
[[example.expect]]
subject_kind = "area"
subject_id = "east"
period_start = 2026-01-01
period_end = 2027-01-01
value = 2190.0
numerator = 4380.0
*/
WITH road AS (
    SELECT area_id, length_m, CAST(valid_from AT TIME ZONE r.zone AS DATE) AS since, CAST(valid_to AT TIME ZONE r.zone AS DATE) AS until
    FROM register_roads CROSS JOIN run AS r WHERE lit AND length_m > 0
),
spent AS (
    SELECT v.subject_kind, v.subject_id, p.starts_on, p.ends_on,
        CAST(sum(CAST(v.value AS DECIMAL(18, 6))) AS DOUBLE) * any_value(p.days) / count(*) AS kwh,
        CAST(sum(CAST(v.coverage AS DECIMAL(18, 9))) AS DOUBLE) / any_value(p.days) AS coverage, max(v.devices) AS devices,
        1 - sum(1 - v.estimated_share) / any_value(p.days) AS estimated_share
    FROM indicator_values AS v
    JOIN local_periods AS p ON p.period = 'year' AND p.starts_on = CAST(date_trunc('year', v.period_start) AS DATE)
    CROSS JOIN run AS r
    WHERE v.indicator = 'lighting.energy' AND v.value IS NOT NULL AND p.ends_on <= r.today
    GROUP BY v.subject_kind, v.subject_id, p.starts_on, p.ends_on
    HAVING count(*) >= 0.75 * any_value(p.days)
),
lit AS (  -- as the register said on the last day
    SELECT d.ends_on, r.area_id, sum(CAST(r.length_m AS DECIMAL(18, 3))) / 1000 AS km
    FROM (SELECT DISTINCT ends_on FROM spent) AS d
    JOIN road AS r ON r.since < d.ends_on AND (r.until IS NULL OR r.until >= d.ends_on)
    GROUP BY d.ends_on, r.area_id
),
place AS (
    SELECT 'area' AS subject_kind, t.ancestor_id AS subject_id, l.ends_on, sum(l.km) AS km
    FROM lit AS l JOIN area_tree AS t ON t.area_id = l.area_id GROUP BY t.ancestor_id, l.ends_on
    UNION ALL
    SELECT 'municipality', m.name, l.ends_on, sum(l.km) FROM lit AS l CROSS JOIN municipality AS m GROUP BY m.name, l.ends_on
)
SELECT s.subject_kind, s.subject_id, s.starts_on AS period_start, s.ends_on AS period_end,
    s.kwh / p.km AS value, s.kwh AS numerator, p.km AS denominator, s.coverage, s.devices, s.estimated_share
FROM spent AS s
JOIN place AS p ON p.subject_kind = s.subject_kind AND p.subject_id = s.subject_id AND p.ends_on = s.ends_on
ORDER BY subject_kind, subject_id, period_start
