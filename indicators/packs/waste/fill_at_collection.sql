/*
id = "waste.fill_at_collection"
kind = "indicator"
version = 1
unit = "%"
grain = "area and town, local day"
reads = ["trips", "emptyings", "waste_container", "assignments", "things", "area_tree", "municipality", "run"]
references = ["Rule of the view emptyings; the limit is a convention (unverified)"]
cadence = "night"
reach = { before = 2, after = 2 }

[title]
en = "Fill at collection"
sl = "Napolnjenost ob praznjenju"

[meaning]
en = "Mean fill of the containers of an area when they were emptied on a local day: the highest reading of the three hours before."
sl = "Povprečna napolnjenost zabojnikov območja ob praznjenju v krajevnem dnevu: najvišji odčitek zadnjih treh ur pred njim."

[[example]]
title = "Two trips at 30 %, one at 85 %"
as_of = 2026-03-03T12:00:00Z
given.things = "SELECT 'b' || i AS thing_id, 'waste_container' AS family, 'east' AS area_id, '{}' AS attributes FROM range(3) AS r (i)"
given.assignments = "SELECT 'd' || i AS device_id, 'b' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(3) AS r (i)"
given.waste_container = "SELECT 'd' || i AS device_id, t AS observed_at, CASE WHEN hour(t) >= 10 THEN 2.0 WHEN i < 2 THEN 30.0 ELSE 85.0 END AS fill_pct FROM range(TIMESTAMPTZ '2026-03-02 04:00:00Z', TIMESTAMPTZ '2026-03-02 20:00:00Z', INTERVAL 1 HOUR) AS r (t), range(3) AS b (i)"
expect = [{ subject_kind = "area", subject_id = "east", value = 48.333333333, denominator = 3.0 }, { subject_kind = "municipality" }]
*/
SELECT t.subject_kind, t.subject_id, t.local_date AS period_start, t.local_date + 1 AS period_end,
    sum(CAST(t.fill_before AS DECIMAL(9, 4))) AS numerator, count(*) AS denominator, CAST(avg(CAST(t.fill_before AS DECIMAL(9, 4))) AS DOUBLE) AS value,
    1.0 AS coverage, count(DISTINCT t.thing_id) AS devices, 0.0 AS estimated_share
FROM trips AS t CROSS JOIN run AS r WHERE t.local_date < r.today GROUP BY t.subject_kind, t.subject_id, t.local_date
ORDER BY subject_kind, subject_id, period_start
