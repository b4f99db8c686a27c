/*
id = "waste.mean_fill"
kind = "indicator"
version = 1
unit = "%"
grain = "area, local day"
reads = ["waste_container", "assignments", "things", "run"]
cadence = "night"

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
*/
WITH day AS (
    SELECT t.area_id, a.thing_id, CAST(w.observed_at AT TIME ZONE r.zone AS DATE) AS local_date, avg(w.fill_pct) AS fill_pct,
        count(DISTINCT date_trunc('hour', w.observed_at)) AS hours
    FROM waste_container AS w
    JOIN assignments AS a ON a.device_id = w.device_id AND w.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR w.observed_at < a.valid_to)
    JOIN things AS t ON t.thing_id = a.thing_id
    CROSS JOIN run AS r
    WHERE w.fill_pct IS NOT NULL AND w.quality NOT IN (4, 9) AND t.area_id IS NOT NULL
    GROUP BY t.area_id, a.thing_id, local_date
)
SELECT 'area' AS subject_kind, area_id AS subject_id, local_date AS period_start, local_date + 1 AS period_end,
    avg(fill_pct) AS value, sum(fill_pct) AS numerator, count(*) AS denominator,
    least(1, avg(hours) / 23) AS coverage, count(*) AS devices, 0.0 AS estimated_share
FROM day CROSS JOIN run AS r
WHERE local_date < r.today
GROUP BY area_id, local_date
ORDER BY subject_id, period_start
