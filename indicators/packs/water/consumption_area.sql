/*
id = "water.consumption_area"
kind = "indicator"
version = 2
unit = "m3"
grain = "area and town, local day"
reads = ["metered_daily", "area_tree", "register_connections", "municipality", "indicator_values", "run"]
needs = ["water.consumption_connection"]
references = ["IWA water balance: authorised consumption, as far as it is metered"]
cadence = "night"
reach = { before = 28, after = 0 }

[title]
en = "Metered water consumption of an area"
sl = "Izmerjena poraba vode na območju"

[meaning]
en = "Water drawn through all metered connections of an area, and of those in it, on a local day. What a silent meter did not tell is filled with the connection's own mean of the 28 days before and marked estimated. The denominator counts the connections with a meter; coverage is the share of the time of all connections, also those that the register of connections knows without a meter, that readings explain."
sl = "Voda, odvzeta v krajevnem dnevu na vseh priključkih z vodomerom na območju in v območjih v njem. Česar molčeči vodomer ni povedal, je zapolnjeno s povprečjem istega priključka iz prejšnjih 28 dni in označeno kot ocena. Imenovalec šteje priključke z vodomerom; pokritost je delež časa vseh priključkov, tudi tistih, ki jih register pozna brez vodomera, ki ga odčitki pojasnijo."

[[example]]
title = "Two connections, one silent since it was made: the sum of what is known, and half the coverage"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = "SELECT 'h' || i AS thing_id, 'water_meter' AS family, 'east' AS area_id, '{}' AS attributes FROM range(2) AS r (i)"
assignments = "SELECT 'm' || i AS device_id, 'h' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
indicator_values = [{ indicator = "water.consumption_connection", subject_kind = "thing", subject_id = "h0", period_start = "2026-03-02", period_end = "2026-03-03", value = 0.024, coverage = 1.0, estimated_share = 0.0 }]
[[example.expect]]
subject_kind = "area"
subject_id = "east"
period_start = 2026-03-02
value = 0.024
denominator = 2.0
coverage = 0.5
devices = 1
estimated_share = 0.0
[[example.expect]]
subject_kind = "municipality"
subject_id = "town"
value = 0.024

[[example]]
title = "A meter that fell silent is filled with its own mean; the zone includes the district"
as_of = 2026-03-03T12:00:00Z
[example.given]
areas = [{ area_id = "zone" }, { area_id = "east", parent_id = "zone" }]
things = "SELECT 'h' || i AS thing_id, 'water_meter' AS family, 'east' AS area_id, '{}' AS attributes FROM range(2) AS r (i)"
assignments = "SELECT 'm' || i AS device_id, 'h' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
indicator_values = """
SELECT 'water.consumption_connection' AS indicator, 'thing' AS subject_kind, 'h' || i AS subject_id, d::DATE AS period_start,
    d::DATE + 1 AS period_end, 0.3 + i * 0.2 AS value, 1.0 AS coverage, 0.0 AS estimated_share
FROM range(TIMESTAMP '2026-03-01', TIMESTAMP '2026-03-03', INTERVAL 1 DAY) AS r (d), range(2) AS h (i)
WHERE i = 0 OR d < TIMESTAMP '2026-03-02'"""
[[example.expect]]
subject_id = "east"
period_start = 2026-03-01
value = 0.8
[[example.expect]]
subject_id = "east"
period_start = 2026-03-02
value = 0.8
coverage = 0.5
devices = 1
estimated_share = 0.625
[[example.expect]]
subject_id = "zone"
value = 0.8
[[example.expect]]
subject_id = "zone"
value = 0.8
[[example.expect]]
subject_id = "town"
value = 0.8
[[example.expect]]
subject_id = "town"
value = 0.8
*/
WITH place AS (
    SELECT 'area' AS subject_kind, t.ancestor_id AS subject_id, m.* EXCLUDE (area_id)
    FROM metered_daily AS m JOIN area_tree AS t ON t.area_id = m.area_id
    UNION ALL BY NAME
    SELECT 'municipality' AS subject_kind, n.name AS subject_id, m.* EXCLUDE (area_id)
    FROM metered_daily AS m CROSS JOIN municipality AS n
),
total AS (
    SELECT subject_kind, subject_id, local_date, coalesce(sum(measured_m3), 0) + coalesce(sum(filled_m3), 0) AS volume_m3,
        coalesce(sum(filled_m3), 0) + coalesce(sum(interpolated_m3), 0) AS estimated_m3, count(*) AS connections,
        count(measured_m3) AS devices, sum(coverage) AS known, sum(served) AS served
    FROM place
    GROUP BY subject_kind, subject_id, local_date
    HAVING count(measured_m3) > 0
),
unmetered AS (  -- connections of the register that no meter hangs on
    SELECT c.area_id, c.connection_id, CAST(c.valid_from AT TIME ZONE r.zone AS DATE) AS since,
        CAST(c.valid_to AT TIME ZONE r.zone AS DATE) AS until
    FROM register_connections AS c CROSS JOIN run AS r
    ANTI JOIN assignments AS a ON a.thing_id = c.connection_id
),
missing AS (
    SELECT d.local_date, u.area_id, count(DISTINCT u.connection_id) AS connections
    FROM (SELECT DISTINCT local_date FROM total) AS d
    JOIN unmetered AS u ON u.since <= d.local_date AND (u.until IS NULL OR u.until > d.local_date)
    GROUP BY d.local_date, u.area_id
),
missed AS (
    SELECT 'area' AS subject_kind, t.ancestor_id AS subject_id, m.local_date, sum(m.connections) AS connections
    FROM missing AS m JOIN area_tree AS t ON t.area_id = m.area_id
    GROUP BY t.ancestor_id, m.local_date
    UNION ALL BY NAME
    SELECT 'municipality' AS subject_kind, n.name AS subject_id, m.local_date, sum(m.connections) AS connections
    FROM missing AS m CROSS JOIN municipality AS n
    GROUP BY n.name, m.local_date
)
SELECT t.subject_kind, t.subject_id, t.local_date AS period_start, t.local_date + 1 AS period_end,
    t.volume_m3 AS value, t.volume_m3 AS numerator, t.connections AS denominator,
    t.known / (t.served + coalesce(u.connections, 0)) AS coverage, t.devices,
    coalesce(t.estimated_m3 / nullif(t.volume_m3, 0), 0) AS estimated_share
FROM total AS t
LEFT JOIN missed AS u ON u.subject_kind = t.subject_kind AND u.subject_id = t.subject_id AND u.local_date = t.local_date
CROSS JOIN run AS r
WHERE t.local_date < r.today
ORDER BY subject_kind, subject_id, period_start
