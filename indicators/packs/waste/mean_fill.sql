/*
id = "waste.mean_fill"
kind = "indicator"
version = 2
unit = "%"
grain = "area and town, local day"
reads = ["waste_container", "assignments", "things", "area_tree", "local_days", "municipality", "run"]
cadence = "night"
reach = { before = 0, after = 0 }

[title]
en = "Mean fill of containers"
sl = "Povprečna napolnjenost zabojnikov"

[meaning]
en = "Mean of the daily mean fill of the containers of an area that were heard on a local day: each container counts once, however often it reports."
sl = "Povprečje dnevnih povprečij napolnjenosti zabojnikov območja, slišanih v krajevnem dnevu: vsak šteje enkrat, ne glede na to, kako pogosto poroča."

[[example]]
title = "A talkative container counts no more than a quiet one"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = "SELECT 'b' || i AS thing_id, 'waste_container' AS family, 'east' AS area_id, '{}' AS attributes FROM range(2) AS r (i)"
assignments = "SELECT 'd' || i AS device_id, 'b' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
waste_container = """
SELECT 'd0' AS device_id, t AS observed_at, 20.0 AS fill_pct
FROM range(TIMESTAMPTZ '2026-03-02 05:00:00Z', TIMESTAMPTZ '2026-03-02 15:00:00Z', INTERVAL 1 HOUR) AS r (t)
UNION ALL SELECT 'd1', TIMESTAMPTZ '2026-03-02 12:00:00Z', 60.0"""
[[example.expect]]
subject_id = "east"
period_start = 2026-03-02
value = 40.0
numerator = 80.0
denominator = 2.0
devices = 2
[[example.expect]]
subject_id = "town"
value = 40.0

[[example]]
title = "Readings that failed their tests are none"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = [{ thing_id = "b", family = "waste_container", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "d", thing_id = "b", valid_from = "2026-01-01T00:00:00Z" }]
waste_container = [{ device_id = "d", observed_at = "2026-03-02T12:00:00Z", fill_pct = 60.0, quality = 4 }]
*/
WITH day AS (
    SELECT t.area_id, a.thing_id, CAST(w.observed_at AT TIME ZONE r.zone AS DATE) AS local_date,
        avg(CAST(w.fill_pct AS DECIMAL(9, 4))) AS fill_pct, count(DISTINCT date_trunc('hour', w.observed_at)) AS hours
    FROM waste_container AS w CROSS JOIN run AS r
    JOIN assignments AS a ON a.device_id = w.device_id AND w.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR w.observed_at < a.valid_to)
    JOIN things AS t ON t.thing_id = a.thing_id
    WHERE w.fill_pct IS NOT NULL AND w.quality NOT IN (4, 9)
    GROUP BY t.area_id, a.thing_id, local_date
),
place AS (
    SELECT 'area' AS subject_kind, e.ancestor_id AS subject_id, d.* FROM day AS d JOIN area_tree AS e ON e.area_id = d.area_id
    UNION ALL
    SELECT 'municipality', m.name, d.* FROM day AS d CROSS JOIN municipality AS m
)
SELECT p.subject_kind, p.subject_id, p.local_date AS period_start, p.local_date + 1 AS period_end,
    avg(p.fill_pct) AS value, sum(p.fill_pct) AS numerator, count(*) AS denominator,
    avg(p.hours) / any_value(l.hours) AS coverage, count(*) AS devices, 0.0 AS estimated_share
FROM place AS p JOIN local_days AS l ON l.local_date = p.local_date CROSS JOIN run AS r
WHERE p.local_date < r.today
GROUP BY p.subject_kind, p.subject_id, p.local_date
ORDER BY subject_kind, subject_id, period_start
