/*
id = "water.consumption_person"
kind = "indicator"
version = 1
unit = "L/d"
grain = "area and town, local day"
reads = ["metered_daily", "area_tree", "register_connections", "municipality", "indicator_values", "run"]
needs = ["water.consumption_connection"]
references = ["ISO 37120:2018 23.3 domestic water consumption per capita (number not verified)"]
cadence = "night"
reach = { before = 28, after = 0 }

[title]
en = "Household consumption per person"
sl = "Poraba gospodinjstev na osebo"

[meaning]
en = "Litres a person and local day at the connections whose number of persons is known (attribute persons, or the register of connections), of those with three quarters of the day measured. Coverage is their share of the persons. No value for fewer than five such connections: it would speak of a household."
sl = "Litri na osebo in krajevni dan na priključkih z znanim številom oseb (atribut persons ali register priključkov), ki imajo izmerjene tri četrtine dneva. Pokritost je njihov delež oseb. Za manj kot pet takih priključkov vrednosti ni: govorila bi o gospodinjstvu."

[[example]]
title = "Six houses of three persons and a workshop; one house is silent"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = """SELECT 'h' || i AS thing_id, 'water_meter' AS family, 'east' AS area_id, CASE WHEN i < 6 THEN '{"persons": "3"}' ELSE '{}' END AS attributes FROM range(7) AS r (i)"""
assignments = "SELECT 'm' || i AS device_id, 'h' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(7) AS r (i)"
indicator_values = """
SELECT 'water.consumption_connection' AS indicator, 'thing' AS subject_kind, 'h' || i AS subject_id, DATE '2026-03-02' AS period_start,
    DATE '2026-03-03' AS period_end, CASE WHEN i = 6 THEN 5.0 ELSE 0.3 END AS value, 1.0 AS coverage, 0.0 AS estimated_share
FROM range(1, 7) AS r (i)"""
[[example.expect]]
subject_kind = "area"
subject_id = "east"
period_start = 2026-03-02
value = 100.0
numerator = 1500.0
denominator = 15.0
coverage = 0.833333333
devices = 5
[[example.expect]]
subject_kind = "municipality"
value = 100.0

[[example]]
title = "Four houses: no value"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = """SELECT 'h' || i AS thing_id, 'water_meter' AS family, 'east' AS area_id, '{"persons": "3"}' AS attributes FROM range(4) AS r (i)"""
assignments = "SELECT 'm' || i AS device_id, 'h' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(4) AS r (i)"
indicator_values = """
SELECT 'water.consumption_connection' AS indicator, 'thing' AS subject_kind, 'h' || i AS subject_id, DATE '2026-03-02' AS period_start,
    DATE '2026-03-03' AS period_end, 0.3 AS value, 1.0 AS coverage, 0.0 AS estimated_share FROM range(4) AS r (i)"""
*/
WITH told AS (
    SELECT connection_id, CAST(valid_from AT TIME ZONE r.zone AS DATE) AS since,
        CAST(valid_to AT TIME ZONE r.zone AS DATE) AS until, persons
    FROM register_connections CROSS JOIN run AS r WHERE persons > 0
),
home AS (
    SELECT m.area_id, m.local_date, m.coverage >= 0.75 * m.served AS heard, coalesce(m.persons, t.persons) AS persons,
        coalesce(m.measured_m3, 0) + coalesce(m.filled_m3, 0) AS volume_m3,
        coalesce(m.filled_m3, 0) + coalesce(m.interpolated_m3, 0) AS estimated_m3
    FROM metered_daily AS m
    LEFT JOIN told AS t ON t.connection_id = m.thing_id AND t.since <= m.local_date
        AND (t.until IS NULL OR t.until > m.local_date)
    WHERE coalesce(m.persons, t.persons) > 0
),
place AS (
    SELECT 'area' AS subject_kind, t.ancestor_id AS subject_id, h.* EXCLUDE (area_id)
    FROM home AS h JOIN area_tree AS t ON t.area_id = h.area_id
    UNION ALL BY NAME
    SELECT 'municipality' AS subject_kind, n.name AS subject_id, h.* EXCLUDE (area_id)
    FROM home AS h CROSS JOIN municipality AS n
)
SELECT subject_kind, subject_id, local_date AS period_start, local_date + 1 AS period_end,
    1000 * sum(volume_m3) FILTER (heard) / sum(persons) FILTER (heard) AS value,
    1000 * sum(volume_m3) FILTER (heard) AS numerator, sum(persons) FILTER (heard) AS denominator,
    sum(persons) FILTER (heard) / sum(persons) AS coverage, count(*) FILTER (heard) AS devices,
    coalesce(sum(estimated_m3) FILTER (heard) / nullif(sum(volume_m3) FILTER (heard), 0), 0) AS estimated_share
FROM place CROSS JOIN run AS r
WHERE local_date < r.today
GROUP BY subject_kind, subject_id, local_date
HAVING count(*) FILTER (heard) >= 5
ORDER BY subject_kind, subject_id, period_start
