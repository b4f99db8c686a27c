/*
id = "kpi.property_share"
kind = "indicator"
version = 1
unit = "%"
grain = "register, local day"
reads = ["heard", "run", "register_vehicles", "register_luminaires"]
cadence = "night"
reach = { before = 8, after = 0 }

[title]
en = "Share of objects with a property"
sl = "Delež objektov z lastnostjo"

[meaning]
en = "Share of the register's objects in service that have a property (a modernised luminaire, a vehicle with electric or hybrid drive). Coverage is the share of objects of which the register knows it."
sl = "Delež objektov registra v uporabi, ki imajo lastnost (prenovljena svetilka, vozilo na električni ali hibridni pogon). Pokritost je delež objektov, za katere register lastnost pozna."

[[example]]
title = "Of four municipal vehicles one is electric and of one nobody said; a fire engine does not count"
as_of = 2026-03-03T12:00:00Z
[example.given]
register_vehicles = "SELECT 'v' || i AS vehicle_id, TIMESTAMPTZ '1970-01-01 00:00:00Z' AS valid_from, CASE i WHEN 4 THEN 'fire' ELSE 'municipal' END AS fleet, CASE i WHEN 0 THEN 'electric' WHEN 1 THEN NULL ELSE 'diesel' END AS drive FROM range(5) AS r (i)"
[[example.expect]]
subject_id = "vehicles_electric"
period_start = 2026-03-02
value = 25.0
denominator = 4.0
coverage = 0.75
*/
WITH days AS (  -- those of which anything is known, and yesterday
    SELECT d.local_date, d.ends_at
    FROM local_days AS d CROSS JOIN run AS r
    WHERE d.local_date < r.today
        AND d.local_date >= (SELECT least(coalesce(min(local_date(observed_at)), r.today), r.today - 1) FROM heard)
)
SELECT 'register' AS subject_kind, p.register AS subject_id, d.local_date AS period_start, d.local_date + 1 AS period_end,
    100.0 * count(DISTINCT p.object_id) FILTER (p.holds) / count(DISTINCT p.object_id) AS value,
    count(DISTINCT p.object_id) FILTER (p.holds) AS numerator, count(DISTINCT p.object_id) AS denominator,
    count(DISTINCT p.object_id) FILTER (p.holds IS NOT NULL) / count(DISTINCT p.object_id) AS coverage,
    0 AS devices, 0.0 AS estimated_share
FROM days AS d JOIN properties AS p ON p.valid_from < d.ends_at AND (p.valid_to IS NULL OR p.valid_to >= d.ends_at)
GROUP BY p.register, d.local_date
ORDER BY subject_id, period_start
