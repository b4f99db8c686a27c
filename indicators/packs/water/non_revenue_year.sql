/*
id = "water.non_revenue_year"
kind = "indicator"
version = 1
unit = "%"
grain = "area and town, local year"
reads = ["stored_periods", "indicator_values", "local_periods", "run"]
needs = ["water.non_revenue"]
references = ["IWA: non-revenue water = system input volume - billed authorised consumption, as metered", "ISO 37120:2018 23.7 water loss (number not verified)"]
cadence = "night"
period = "year"
reach = { before = 0, after = 0 }

[title]
en = "Non-revenue water of a year"
sl = "Neobračunana voda v letu"

[meaning]
en = "Non-revenue volume over inflow of a whole local year, from the days that have both; there is no value where fewer than three quarters of its days do."
sl = "Neobračunana količina glede na dotok v celem krajevnem letu, iz dni, ki imajo oboje; vrednosti ni, če ima oboje manj kot tri četrtine njegovih dni."

[[example]]
title = "The year that is over; this one is not"
as_of = 2026-04-01T12:00:00Z
[example.given]
indicator_values = """
SELECT 'water.non_revenue' AS indicator, 'area' AS subject_kind, 'east' AS subject_id, d::DATE AS period_start, d::DATE + 1 AS period_end,
    25.0 AS value, 12.0 AS numerator, 48.0 AS denominator, 1.0 AS coverage, 6 AS devices, 0.0 AS estimated_share
FROM range(TIMESTAMP '2025-01-01', TIMESTAMP '2026-04-01', INTERVAL 1 DAY) AS r (d)"""
[[example.expect]]
subject_id = "east"
period_start = 2025-01-01
period_end = 2026-01-01
value = 25.0
denominator = 17520.0
coverage = 1.0
*/
SELECT p.subject_kind, p.subject_id, p.period_start, p.period_end, 100 * p.numerator / p.denominator AS value,
    p.numerator AS numerator, p.denominator AS denominator, p.coverage AS coverage, p.devices AS devices, p.estimated_of AS estimated_share
FROM stored_periods('water.non_revenue', 'year') AS p CROSS JOIN run AS r WHERE p.period_end <= r.today AND p.told >= 0.75 * p.days AND p.denominator > 0
ORDER BY subject_kind, subject_id, period_start
