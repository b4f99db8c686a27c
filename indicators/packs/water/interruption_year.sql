/*
id = "water.interruption_year"
kind = "indicator"
version = 1
unit = "h"
grain = "area and town, local year"
reads = ["stored_periods", "indicator_values", "local_periods", "run"]
needs = ["water.interruption_hours"]
references = ["ISO 37120:2018 23.6 water interruption hours per household (number not verified): hours x connections / connections"]
cadence = "night"
period = "year"
reach = { before = 0, after = 0 }

[title]
en = "Interruption of water supply in a year"
sl = "Prekinitve oskrbe z vodo v letu"

[meaning]
en = "Hours without supply per connection in a whole local year: connection-hours over connections, summed over the days that are known. There is no value where fewer than three quarters of its days are known."
sl = "Ure brez oskrbe na priključek v celem krajevnem letu: priključek-ure na priključke, seštete po znanih dneh. Vrednosti ni, če je znanih manj kot tri četrtine dni."

[[example]]
title = "Two hours on the tenth of each month"
as_of = 2026-04-01T12:00:00Z
[example.given]
indicator_values = """
SELECT 'water.interruption_hours' AS indicator, 'area' AS subject_kind, 'east' AS subject_id, d::DATE AS period_start, d::DATE + 1 AS period_end,
    CASE WHEN day(d) = 10 THEN 2.0 ELSE 0.0 END AS value, CASE WHEN day(d) = 10 THEN 100.0 ELSE 0.0 END AS numerator, 50.0 AS denominator, 1.0 AS coverage, 6 AS devices, 0.0 AS estimated_share
FROM range(TIMESTAMP '2025-01-01', TIMESTAMP '2026-04-01', INTERVAL 1 DAY) AS r (d)"""
[[example.expect]]
subject_id = "east"
period_start = 2025-01-01
period_end = 2026-01-01
value = 24.0
numerator = 1200.0
*/
SELECT p.subject_kind, p.subject_id, p.period_start, p.period_end, p.total AS value,
    p.numerator AS numerator, p.base AS denominator, p.coverage AS coverage, p.devices AS devices, 0.0 AS estimated_share
FROM stored_periods('water.interruption_hours', 'year') AS p CROSS JOIN run AS r WHERE p.period_end <= r.today AND p.told >= 0.75 * p.days
ORDER BY subject_kind, subject_id, period_start
