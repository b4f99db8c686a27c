/*
id = "water.losses_eur_month"
kind = "indicator"
version = 1
unit = "EUR"
grain = "area and town, local month"
reads = ["stored_periods", "indicator_values", "local_periods", "run"]
needs = ["water.losses_eur"]
references = ["Price: prices.water_eur_m3 of the settings at the time of the run"]
cadence = "night"
period = "month"
reach = { before = 0, after = 0 }

[title]
en = "Cost of water losses in a month"
sl = "Strošek vodnih izgub v mesecu"

[meaning]
en = "Cost of the water losses of a whole local month: the mean of its days with a value times its days. There is no value where fewer than three quarters of the days have one."
sl = "Strošek vodnih izgub celega krajevnega meseca: povprečje dni z vrednostjo, pomnoženo s številom dni. Vrednosti ni, če jo ima manj kot tri četrtine dni."

[[example]]
title = "Three days of March are filled with the mean of the others"
as_of = 2026-04-01T12:00:00Z
[example.given]
indicator_values = """
SELECT 'water.losses_eur' AS indicator, 'area' AS subject_kind, 'east' AS subject_id, d::DATE AS period_start, d::DATE + 1 AS period_end,
    43.2 AS value, 1.0 AS coverage, 6 AS devices, 0.0 AS estimated_share
FROM range(TIMESTAMP '2026-02-01', TIMESTAMP '2026-04-01', INTERVAL 1 DAY) AS r (d)
WHERE month(d) = 2 AND day(d) <= 20 OR month(d) = 3 AND day(d) > 3"""
[[example.expect]]
subject_id = "east"
period_start = 2026-03-01
period_end = 2026-04-01
value = 1339.2
coverage = 0.903225806
estimated_share = 0.096774194
*/
SELECT p.subject_kind, p.subject_id, p.period_start, p.period_end, p.total * p.days / p.told AS value,
    p.total AS numerator, p.told AS denominator, p.coverage AS coverage, p.devices AS devices, p.estimated_share AS estimated_share
FROM stored_periods('water.losses_eur', 'month') AS p CROSS JOIN run AS r WHERE p.period_end <= r.today AND p.told >= 0.75 * p.days
ORDER BY subject_kind, subject_id, period_start
