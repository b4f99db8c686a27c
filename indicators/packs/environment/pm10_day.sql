/*
id = "environment.pm10_day"
kind = "indicator"
version = 1
unit = "ug/m3"
grain = "station, local day"
reads = ["air_days", "local_days", "municipality", "run"]
references = ["An hour counts with 75 % of its quarters, a day with 75 % of its hours (Directive 2008/50/EC, as the project's facts tell it: unverified)"]
cadence = "night"
own = true
reach = { before = 0, after = 0 }

[title]
en = "Daily mean of PM10"
sl = "Dnevno povprečje PM10"

[meaning]
en = "Mean of the hourly means of a local day at a station. Only hours of which three quarters were sampled count; below three quarters of the day's hours there is no value. The numerator counts the valid hours, the denominator the hours of the day."
sl = "Povprečje urnih povprečij krajevnega dne na postaji. Štejejo le ure s tremi izmerjenimi četrtinami; pod tremi četrtinami ur dneva vrednosti ni. Števec so veljavne ure, imenovalec ure dneva."

[[example]]
title = "The day of 23 hours: 18 of them are enough, 17 (the day before, of 24) are not"
as_of = 2026-03-30T12:00:00Z
[example.given]
assignments = [{ device_id = "d1", thing_id = "x", valid_from = "2024-01-01T00:00:00Z" }]
air_quality = """
SELECT 'd1' AS device_id, t AS observed_at, CASE WHEN hour(t) < 9 THEN 20.0 ELSE 50.0 END AS pm10_ugm3
FROM range(TIMESTAMPTZ '2026-03-28 23:00:00Z', TIMESTAMPTZ '2026-03-29 17:00:00Z', INTERVAL 15 MINUTE) AS r (t)
UNION ALL BY NAME SELECT 'd1' AS device_id, t AS observed_at, 9.0 AS pm10_ugm3
FROM range(TIMESTAMPTZ '2026-03-27 23:00:00Z', TIMESTAMPTZ '2026-03-28 16:00:00Z', INTERVAL 15 MINUTE) AS r (t)"""
[[example.expect]]
subject_kind = "thing"
subject_id = "x"
period_start = 2026-03-29
value = 35.0
numerator = 18.0
denominator = 23.0
coverage = 0.782608696

[[example]]
title = "Two readings an hour are no hour, and a bad reading is none; the mean of an hour that says so is one"
as_of = 2026-03-03T12:00:00Z
[example.given]
assignments = "SELECT 'd' || i AS device_id, 'x' || i AS thing_id, TIMESTAMPTZ '2024-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
air_quality = """
SELECT 'd' || i AS device_id, t AS observed_at, CASE WHEN i = 1 THEN t + INTERVAL 1 HOUR END AS observed_until, 12.0 AS pm10_ugm3, CAST(CASE WHEN i = 0 AND minute(t) > 20 THEN 4 ELSE 1 END AS TINYINT) AS quality
FROM range(TIMESTAMPTZ '2026-03-01 23:00:00Z', TIMESTAMPTZ '2026-03-02 23:00:00Z', INTERVAL 15 MINUTE) AS r (t), range(2) AS d (i)
WHERE i = 0 OR minute(t) = 0"""
[[example.expect]]
subject_id = "x1"
value = 12.0
coverage = 1.0
*/
SELECT 'thing' AS subject_kind, d.thing_id AS subject_id, d.local_date AS period_start, d.local_date + 1 AS period_end, d.level_ugm3 AS value,
    d.known_h AS numerator, d.day_h AS denominator, d.coverage, 1 AS devices, 0.0 AS estimated_share
FROM air_days AS d CROSS JOIN run AS r WHERE d.pollutant = 'pm10' AND d.local_date < r.today AND d.coverage >= 0.75
ORDER BY subject_id, period_start
