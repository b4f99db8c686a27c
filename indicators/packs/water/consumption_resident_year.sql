/*
id = "water.consumption_resident_year"
kind = "indicator"
version = 1
unit = "L/d"
grain = "area and town, local year"
reads = ["stored_periods", "indicator_values", "local_periods", "run"]
needs = ["water.consumption_resident"]
references = ["ISO 37120:2018 23.5 total water consumption per capita (number not verified)"]
cadence = "night"
period = "year"
reach = { before = 0, after = 0 }

[title]
en = "Water consumption per resident and day, of a year"
sl = "Poraba vode na prebivalca in dan, v letu"

[meaning]
en = "Metered consumption of a whole local year per resident and day; there is no value where fewer than three quarters of its days have one."
sl = "Izmerjena poraba celega krajevnega leta na prebivalca in dan; vrednosti ni, če jo ima manj kot tri četrtine dni."

[[example]]
title = "The year that is over"
as_of = 2026-04-01T12:00:00Z
[example.given]
indicator_values = """
SELECT 'water.consumption_resident' AS indicator, 'area' AS subject_kind, 'east' AS subject_id, d::DATE AS period_start, d::DATE + 1 AS period_end,
    120.0 AS value, 240000.0 AS numerator, 2000.0 AS denominator, 1.0 AS coverage, 6 AS devices, 0.0 AS estimated_share
FROM range(TIMESTAMP '2025-01-01', TIMESTAMP '2026-04-01', INTERVAL 1 DAY) AS r (d)"""
[[example.expect]]
subject_id = "east"
period_start = 2025-01-01
period_end = 2026-01-01
value = 120.0
*/
SELECT p.subject_kind, p.subject_id, p.period_start, p.period_end, p.numerator / p.denominator AS value,
    p.numerator AS numerator, p.denominator AS denominator, p.coverage AS coverage, p.devices AS devices, p.estimated_of AS estimated_share
FROM stored_periods('water.consumption_resident', 'year') AS p CROSS JOIN run AS r WHERE p.period_end <= r.today AND p.told >= 0.75 * p.days
ORDER BY subject_kind, subject_id, period_start
