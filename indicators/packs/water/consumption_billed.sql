/*
id = "water.consumption_billed"
kind = "indicator"
version = 1
unit = "m3"
grain = "area and town, local day"
reads = ["metered_daily", "area_tree", "municipality", "indicator_values", "run"]
needs = ["water.consumption_connection"]
references = ["IWA water balance: billed metered consumption"]
cadence = "night"
reach = { before = 28, after = 0 }

[title]
en = "Billed metered consumption of an area"
sl = "Obračunana izmerjena poraba območja"

[meaning]
en = "As the metered consumption of an area, without the connections that are not billed (attribute billed = no: fire station, fountain, flushing). The denominator counts the billed connections; 0 where all of those with a meter are free of charge."
sl = "Enako kot izmerjena poraba območja, brez priključkov, ki se ne obračunavajo (atribut billed = no: gasilski dom, fontana, izpiranje). Imenovalec šteje obračunane priključke; 0, kjer so vsi priključki z vodomerom brezplačni."

[[example]]
title = "The fountain is metered and not billed"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = """SELECT 'h' || i AS thing_id, 'water_meter' AS family, 'east' AS area_id, CASE WHEN i = 2 THEN '{"billed": "no"}' ELSE '{}' END AS attributes FROM range(3) AS r (i)"""
assignments = "SELECT 'm' || i AS device_id, 'h' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(3) AS r (i)"
indicator_values = """
SELECT 'water.consumption_connection' AS indicator, 'thing' AS subject_kind, 'h' || i AS subject_id, DATE '2026-03-02' AS period_start,
    DATE '2026-03-03' AS period_end, 0.25 + i AS value, 1.0 AS coverage, 0.0 AS estimated_share FROM range(3) AS r (i)"""
[[example.expect]]
subject_kind = "area"
subject_id = "east"
period_start = 2026-03-02
value = 1.5
denominator = 2.0
devices = 2
[[example.expect]]
subject_kind = "municipality"
subject_id = "town"
value = 1.5

[[example]]
title = "Nothing is known of any connection: no value"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = [{ thing_id = "h", family = "water_meter", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "m", thing_id = "h", valid_from = "2026-01-01T00:00:00Z" }]
*/
WITH place AS (
    SELECT 'area' AS subject_kind, t.ancestor_id AS subject_id, m.* EXCLUDE (area_id)
    FROM metered_daily AS m JOIN area_tree AS t ON t.area_id = m.area_id
    UNION ALL BY NAME
    SELECT 'municipality' AS subject_kind, n.name AS subject_id, m.* EXCLUDE (area_id)
    FROM metered_daily AS m CROSS JOIN municipality AS n
),
total AS (
    SELECT subject_kind, subject_id, local_date,
        coalesce(sum(measured_m3) FILTER (billed), 0) + coalesce(sum(filled_m3) FILTER (billed), 0) AS volume_m3,
        coalesce(sum(filled_m3) FILTER (billed), 0) + coalesce(sum(interpolated_m3) FILTER (billed), 0) AS estimated_m3,
        count(*) FILTER (billed) AS connections, count(measured_m3) FILTER (billed) AS devices,
        coalesce(sum(coverage) FILTER (billed) / sum(served) FILTER (billed), 1) AS coverage
    FROM place
    GROUP BY subject_kind, subject_id, local_date
    HAVING count(measured_m3) > 0
)
SELECT t.subject_kind, t.subject_id, t.local_date AS period_start, t.local_date + 1 AS period_end,
    t.volume_m3 AS value, t.volume_m3 AS numerator, t.connections AS denominator, t.coverage, t.devices,
    coalesce(t.estimated_m3 / nullif(t.volume_m3, 0), 0) AS estimated_share
FROM total AS t CROSS JOIN run AS r
WHERE t.local_date < r.today
ORDER BY subject_kind, subject_id, period_start
