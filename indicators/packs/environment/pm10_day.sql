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
title = "A station that gives means of an hour"
as_of = 2026-03-03T12:00:00Z
given.assignments = [{ device_id = "d1", thing_id = "x", valid_from = "2024-01-01T00:00:00Z" }]
given.air_quality = "SELECT 'd1' AS device_id, t AS observed_at, t + INTERVAL 1 HOUR AS observed_until, hour(t) AS pm10_ugm3 FROM range(TIMESTAMPTZ '2026-03-01 23:00:00Z', TIMESTAMPTZ '2026-03-02 23:00:00Z', INTERVAL 1 HOUR) AS r (t)"
expect = [{ subject_id = "x", period_start = 2026-03-02, value = 11.5, numerator = 24.0, coverage = 1.0 }]
*/
SELECT 'thing' AS subject_kind, d.thing_id AS subject_id, d.local_date AS period_start, d.local_date + 1 AS period_end, d.level_ugm3 AS value,
    d.known_h AS numerator, d.day_h AS denominator, d.coverage, 1 AS devices, 0.0 AS estimated_share
FROM air_days AS d CROSS JOIN run AS r WHERE d.pollutant = 'pm10' AND d.local_date < r.today AND d.coverage >= 0.75
ORDER BY subject_id, period_start
