/*
id = "water.losses_km"
kind = "indicator"
version = 1
unit = "m3/(km.d)"
grain = "area and town, local day"
reads = ["water_balance", "inflow_meters", "area_tree", "areas", "municipality", "indicator_values", "run"]
needs = ["water.inflow", "water.consumption_area", "water.consumption_billed"]
references = ["Water losses per length of mains and day, for networks with few connections a kilometre (under 20, unverified)"]
cadence = "night"
reach = { before = 0, after = 0 }

[title]
en = "Water losses per kilometre of network"
sl = "Vodne izgube na kilometer omrežja"

[meaning]
en = "Water losses of a local day (inflow minus metered consumption) per kilometre of network, as the register of areas says: an area's own length, or else that of the areas in it. Without a length there is no value."
sl = "Vodne izgube krajevnega dneva (dotok minus izmerjena poraba) na kilometer omrežja po registru območij: lastna dolžina območja, sicer dolžina območij v njem. Brez dolžine vrednosti ni."

[[example]]
title = "36 m3 in 4.5 km of the east; the length of the west is not known"
as_of = 2026-03-03T12:00:00Z
[example.given]
areas = [{ area_id = "east", network_km = 4.5 }, { area_id = "west" }]
indicator_values = """
SELECT 'water.' || n AS indicator, 'area' AS subject_kind, a AS subject_id, DATE '2026-03-02' AS period_start, DATE '2026-03-03' AS period_end,
    v AS value, 10.0 AS denominator, 1.0 AS coverage, 3 AS devices, 0.0 AS estimated_share
FROM (VALUES ('inflow', 48.0), ('consumption_area', 12.0), ('consumption_billed', 12.0)) AS x (n, v), (VALUES ('east'), ('west')) AS y (a)"""
[[example.expect]]
subject_id = "east"
period_start = 2026-03-02
value = 8.0
numerator = 36.0
denominator = 4.5
*/
WITH outer_most AS (  -- lengths that lie in no other length
    SELECT a.area_id, a.network_km FROM areas AS a
    WHERE a.network_km > 0 AND NOT EXISTS (FROM area_tree AS t JOIN areas AS p ON p.area_id = t.ancestor_id
        WHERE t.area_id = a.area_id AND t.ancestor_id <> a.area_id AND p.network_km > 0)
),
length AS (
    SELECT 'area' AS subject_kind, area_id AS subject_id, network_km FROM areas WHERE network_km > 0
    UNION ALL BY NAME
    SELECT 'area' AS subject_kind, t.ancestor_id AS subject_id, sum(o.network_km) AS network_km
    FROM outer_most AS o JOIN area_tree AS t ON t.area_id = o.area_id AND t.ancestor_id <> o.area_id
    GROUP BY t.ancestor_id
    UNION ALL BY NAME
    SELECT 'municipality' AS subject_kind, m.name AS subject_id, sum(o.network_km) AS network_km
    FROM outer_most AS o CROSS JOIN municipality AS m GROUP BY m.name
)
SELECT b.subject_kind, b.subject_id, b.local_date AS period_start, b.local_date + 1 AS period_end,
    b.losses_m3 / l.network_km AS value, b.losses_m3 AS numerator, l.network_km AS denominator, b.coverage, b.devices,
    b.estimated_share
FROM water_balance AS b
JOIN length AS l ON l.subject_kind = b.subject_kind AND l.subject_id = b.subject_id
CROSS JOIN run AS r
WHERE b.local_date < r.today
ORDER BY subject_kind, subject_id, period_start
