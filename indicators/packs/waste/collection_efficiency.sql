/*
id = "waste.collection_efficiency"
kind = "indicator"
version = 1
unit = "%"
grain = "area and town, local day"
reads = ["trips", "emptyings", "waste_container", "assignments", "things", "area_tree", "municipality", "run"]
references = ["Rule of the view emptyings; the limit is a convention (unverified)"]
cadence = "night"
reach = { before = 2, after = 2 }

[title]
en = "Collection efficiency"
sl = "Učinkovitost odvoza"

[meaning]
en = "Share of the emptyings of a local day that found a container at 60 % or more."
sl = "Delež praznjenj v krajevnem dnevu, ob katerih je bil zabojnik napolnjen 60 % ali več."

[[example]]
title = "One of two containers was emptied at 30 %, the other at 85 %"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = "SELECT 'b' || i AS thing_id, 'waste_container' AS family, 'east' AS area_id, '{}' AS attributes FROM range(2) AS r (i)"
assignments = "SELECT 'd' || i AS device_id, 'b' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
waste_container = """
SELECT 'd' || i AS device_id, t AS observed_at, CASE WHEN hour(t) >= 10 THEN 2.0 WHEN i = 0 THEN 30.0 ELSE 85.0 END AS fill_pct
FROM range(TIMESTAMPTZ '2026-03-02 04:00:00Z', TIMESTAMPTZ '2026-03-02 20:00:00Z', INTERVAL 1 HOUR) AS r (t), range(2) AS b (i)"""
[[example.expect]]
subject_kind = "area"
subject_id = "east"
period_start = 2026-03-02
value = 50.0
denominator = 2.0
[[example.expect]]
subject_kind = "municipality"
subject_id = "town"

[[example]]
title = "Nothing was emptied: no value"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = "SELECT 'b' || i AS thing_id, 'waste_container' AS family, 'east' AS area_id, '{}' AS attributes FROM range(2) AS r (i)"
assignments = "SELECT 'd' || i AS device_id, 'b' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
waste_container = [{ device_id = "d0", observed_at = "2026-03-02T12:00:00Z", fill_pct = 50.0 }]
*/
SELECT t.subject_kind, t.subject_id, t.local_date AS period_start, t.local_date + 1 AS period_end,
    count(*) FILTER (t.fill_before >= 60) AS numerator, count(*) AS denominator, 100.0 * numerator / denominator AS value,
    1.0 AS coverage, count(DISTINCT t.thing_id) AS devices, 0.0 AS estimated_share
FROM trips AS t CROSS JOIN run AS r WHERE t.local_date < r.today GROUP BY t.subject_kind, t.subject_id, t.local_date
ORDER BY subject_kind, subject_id, period_start
