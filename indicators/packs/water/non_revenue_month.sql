/*
id = "water.non_revenue_month"
kind = "indicator"
version = 1
unit = "%"
grain = "area and town, local month"
reads = ["stored_periods", "indicator_values", "local_periods", "run"]
needs = ["water.non_revenue"]
references = ["IWA: non-revenue water = system input volume - billed authorised consumption, as metered"]
cadence = "night"
period = "month"
reach = { before = 0, after = 0 }

[title]
en = "Non-revenue water of a month"
sl = "Neobračunana voda v mesecu"

[meaning]
en = "Non-revenue volume over inflow of a whole local month, from the days that have both; there is no value where fewer than three quarters of its days do."
sl = "Neobračunana količina glede na dotok v celem krajevnem mesecu, iz dni, ki imajo oboje; vrednosti ni, če ima oboje manj kot tri četrtine njegovih dni."

[[example]]
title = "February has 20 days with values, too few; of March three are missing, and a day counts by its inflow"
as_of = 2026-04-01T12:00:00Z
[example.given]
indicator_values = """
SELECT 'water.non_revenue' AS indicator, 'area' AS subject_kind, 'east' AS subject_id, d::DATE AS period_start, d::DATE + 1 AS period_end,
    CASE WHEN day(d) = 4 THEN 90.0 ELSE 30.0 END AS value, CASE WHEN day(d) = 4 THEN 90.0 ELSE 3.0 END AS numerator, CASE WHEN day(d) = 4 THEN 100.0 ELSE 10.0 END AS denominator, 1.0 AS coverage, 6 AS devices, 0.0 AS estimated_share
FROM range(TIMESTAMP '2026-02-01', TIMESTAMP '2026-04-01', INTERVAL 1 DAY) AS r (d)
WHERE month(d) = 2 AND day(d) <= 20 OR month(d) = 3 AND day(d) > 3"""
[[example.expect]]
subject_id = "east"
period_start = 2026-03-01
period_end = 2026-04-01
value = 46.21621621621622
numerator = 171.0
denominator = 370.0
coverage = 0.9032258064516129
*/
SELECT p.subject_kind, p.subject_id, p.period_start, p.period_end, 100 * p.numerator / p.denominator AS value,
    p.numerator AS numerator, p.denominator AS denominator, p.coverage AS coverage, p.devices AS devices, p.estimated_of AS estimated_share
FROM stored_periods('water.non_revenue', 'month') AS p CROSS JOIN run AS r WHERE p.period_end <= r.today AND p.told >= 0.75 * p.days AND p.denominator > 0
ORDER BY subject_kind, subject_id, period_start
