/*
id = "environment.discharge_day"
kind = "indicator"
version = 1
unit = "m3/s"
grain = "station, local day"
reads = ["river_level", "quarter_days", "assignments", "local_days", "municipality", "run"]
references = ["75 % of the quarters of an hour of a day: a convention, unverified"]
cadence = "night"
own = true
reach = { before = 0, after = 0 }

[title]
en = "Daily mean of the discharge"
sl = "Dnevno povprečje pretoka reke"

[meaning]
en = "Mean discharge of a local day at a gauge, by quarters of an hour. The numerator counts the quarters of an hour that were heard, the denominator those of the day; below three quarters of them there is no value."
sl = "Povprečni pretok krajevnega dneva na vodomerni postaji, po četrtinah ure. Števec so slišane četrtine ure, imenovalec četrtine dneva; pod tremi četrtinami vrednosti ni."

[[example]]
title = "High water for an hour"
as_of = 2026-03-03T12:00:00Z
given.assignments = [{ device_id = "d1", thing_id = "x", valid_from = "2024-01-01T00:00:00Z" }]
given.river_level = "SELECT 'd1' AS device_id, t AS observed_at, CASE hour(t) WHEN 5 THEN 25.0 ELSE 1.0 END AS discharge_m3s FROM range(TIMESTAMPTZ '2026-03-01 23:00:00Z', TIMESTAMPTZ '2026-03-02 23:00:00Z', INTERVAL 15 MINUTE) AS r (t)"
expect = [{ subject_id = "x", value = 2.0, denominator = 96.0 }]
*/
WITH reading AS (
    SELECT device_id, observed_at, discharge_m3s AS amount FROM river_level WHERE discharge_m3s IS NOT NULL AND quality NOT IN (4, 9)
)
SELECT 'thing' AS subject_kind, d.thing_id AS subject_id, d.local_date AS period_start, d.local_date + 1 AS period_end, d.mean AS value,
    d.quarters AS numerator, d.of_quarters AS denominator, d.coverage, 1 AS devices, 0.0 AS estimated_share
FROM quarter_days('reading') AS d CROSS JOIN run AS r WHERE d.local_date < r.today AND d.coverage >= 0.75
ORDER BY subject_id, period_start
