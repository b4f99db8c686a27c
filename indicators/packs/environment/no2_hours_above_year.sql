/*
id = "environment.no2_hours_above_year"
kind = "indicator"
version = 1
unit = "h"
grain = "station, local year"
reads = ["stored_periods", "indicator_values", "local_periods", "run"]
needs = ["environment.no2_hours_above"]
references = ["Limit: not more than 18 hours a year above 200 ug/m3 (Directive 2008/50/EC, as the European Environment Agency states it)", "A year needs values of 90 % of its days (Directive 2008/50/EC asks for 90 % of the data; unverified in its detail)"]
cadence = "night"
period = "year"
own = true
reach = { before = 0, after = 0 }

[title]
en = "Hours of a year with nitrogen dioxide above 200 µg/m³"
sl = "Ure leta z dušikovim dioksidom nad 200 µg/m³"

[meaning]
en = "Hours of a whole local year whose mean was above 200 µg/m³; 18 are allowed. The denominator counts the days with a value; below 90 % of the year's days there is no value."
sl = "Ure celega krajevnega leta s povprečjem nad 200 µg/m³; dovoljenih je 18. Imenovalec so dnevi z vrednostjo; pod 90 % dni leta vrednosti ni."

[[example]]
title = "A whole year of which 36 days are missing: just enough"
as_of = 2026-01-02T12:00:00Z
[example.given]
indicator_values = """
SELECT 'environment.no2_hours_above' AS indicator, 'thing' AS subject_kind, 'x' AS subject_id, d::DATE AS period_start, d::DATE + 1 AS period_end, CASE WHEN month(d) = 1 AND day(d) < 11 THEN 2.0 ELSE 0.0 END AS value, 1.0 AS coverage
FROM range(TIMESTAMP '2025-01-01', TIMESTAMP '2025-11-26', INTERVAL 1 DAY) AS r (d)"""
[[example.expect]]
subject_kind = "thing"
subject_id = "x"
period_start = 2025-01-01
period_end = 2026-01-01
value = 20.0
numerator = 20.0
denominator = 329.0

[[example]]
title = "One day fewer: no value"
as_of = 2026-01-02T12:00:00Z
[example.given]
indicator_values = """
SELECT 'environment.no2_hours_above' AS indicator, 'thing' AS subject_kind, 'x' AS subject_id, d::DATE AS period_start, d::DATE + 1 AS period_end, CASE WHEN month(d) = 1 AND day(d) < 11 THEN 2.0 ELSE 0.0 END AS value, 1.0 AS coverage
FROM range(TIMESTAMP '2025-01-01', TIMESTAMP '2025-11-25', INTERVAL 1 DAY) AS r (d)"""
*/
SELECT p.subject_kind, p.subject_id, p.period_start, p.period_end, p.total AS value,
    p.total AS numerator, p.told AS denominator, p.told / p.days AS coverage, 1 AS devices, 0.0 AS estimated_share
FROM stored_periods('environment.no2_hours_above', 'year') AS p CROSS JOIN run AS r WHERE p.period_end <= r.today AND p.told >= 0.9 * p.days
ORDER BY subject_id, period_start
