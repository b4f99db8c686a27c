/*
id = "water.interruption_month"
kind = "indicator"
version = 1
unit = "h"
grain = "area and town, local month"
reads = ["stored_periods", "indicator_values", "local_periods", "run"]
needs = ["water.interruption_hours"]
references = ["Rule of water.interruption_hours"]
cadence = "night"
period = "month"
reach = { before = 0, after = 0 }

[title]
en = "Interruption of water supply in a month"
sl = "Prekinitve oskrbe z vodo v mesecu"

[meaning]
en = "Hours without supply per connection in a whole local month: connection-hours over connections, summed over the days that are known. There is no value where fewer than three quarters of its days are known."
sl = "Ure brez oskrbe na priključek v celem krajevnem mesecu: priključek-ure na priključke, seštete po znanih dneh. Vrednosti ni, če je znanih manj kot tri četrtine dni."

[[example]]
title = "Two hours on one day for all 50 connections"
as_of = 2026-04-01T12:00:00Z
[example.given]
indicator_values = """
SELECT 'water.interruption_hours' AS indicator, 'area' AS subject_kind, 'east' AS subject_id, d::DATE AS period_start, d::DATE + 1 AS period_end,
    CASE WHEN day(d) = 10 THEN 2.0 ELSE 0.0 END AS value, CASE WHEN day(d) = 10 THEN 100.0 ELSE 0.0 END AS numerator, 50.0 AS denominator, 1.0 AS coverage, 6 AS devices, 0.0 AS estimated_share
FROM range(TIMESTAMP '2026-02-01', TIMESTAMP '2026-04-01', INTERVAL 1 DAY) AS r (d)
WHERE month(d) = 2 AND day(d) <= 20 OR month(d) = 3 AND day(d) > 3"""
[[example.expect]]
subject_id = "east"
period_start = 2026-03-01
period_end = 2026-04-01
value = 2.0
numerator = 100.0
denominator = 50.0
coverage = 0.9032258064516129
*/
SELECT p.subject_kind, p.subject_id, p.period_start, p.period_end, p.total AS value,
    p.numerator AS numerator, p.base AS denominator, p.coverage AS coverage, p.devices AS devices, 0.0 AS estimated_share
FROM stored_periods('water.interruption_hours', 'month') AS p CROSS JOIN run AS r WHERE p.period_end <= r.today AND p.told >= 0.75 * p.days
ORDER BY subject_kind, subject_id, period_start
