/*
id = "waste.bins_missing"
kind = "indicator"
version = 1
unit = "%"
grain = "area, local month"
reads = ["indicator_values", "things", "area_tree", "local_periods", "run"]
needs = ["waste.overflow_hours"]
references = ["Own rule: a container-day with more than two hours at 90 % or more"]
cadence = "night"
period = "month"
reach = { before = 0, after = 0 }

[title]
en = "Where containers are missing"
sl = "Kjer manjkajo zabojniki"

[meaning]
en = "Share of the container-days of an area in a whole local month with more than two hours of overflow. Where it is high month after month, the area needs more containers or more rounds. No value where fewer than three quarters of the container-days were heard."
sl = "Delež zabojnik-dni območja v celem krajevnem mesecu z več kot dvema urama prepolnosti. Kjer je visok mesec za mesecem, območje potrebuje več zabojnikov ali več odvozov. Vrednosti ni, če je bilo slišanih manj kot tri četrtine zabojnik-dni."

[[example]]
title = "One of two containers overflows on six days of February; March is not over"
as_of = 2026-03-20T12:00:00Z
[example.given]
things = "SELECT 'b' || i AS thing_id, 'waste_container' AS family, 'east' AS area_id, '{}' AS attributes FROM range(2) AS r (i)"
indicator_values = """
SELECT 'waste.overflow_hours' AS indicator, 'thing' AS subject_kind, 'b' || i AS subject_id, d::DATE AS period_start, d::DATE + 1 AS period_end,
    CASE WHEN i = 0 AND day(d) <= 6 THEN 5.0 WHEN i = 0 THEN 1.0 ELSE 0.0 END AS value, 1.0 AS coverage
FROM range(TIMESTAMP '2026-02-01', TIMESTAMP '2026-03-20', INTERVAL 1 DAY) AS r (d), range(2) AS b (i)"""
[[example.expect]]
subject_kind = "area"
subject_id = "east"
period_start = 2026-02-01
period_end = 2026-03-01
value = 10.714285714
numerator = 6.0
denominator = 56.0
devices = 2
*/
SELECT 'area' AS subject_kind, a.ancestor_id AS subject_id, p.starts_on AS period_start, p.ends_on AS period_end,
    100.0 * count(*) FILTER (v.value > 2) / count(*) AS value, count(*) FILTER (v.value > 2) AS numerator, count(*) AS denominator,
    count(*) / (count(DISTINCT v.subject_id) * any_value(p.days)) AS coverage, count(DISTINCT v.subject_id) AS devices,
    0.0 AS estimated_share
FROM indicator_values AS v
JOIN things AS t ON t.thing_id = v.subject_id
JOIN area_tree AS a ON a.area_id = t.area_id
JOIN local_periods AS p ON p.period = 'month' AND p.starts_on = CAST(date_trunc('month', v.period_start) AS DATE)
CROSS JOIN run AS r
WHERE v.indicator = 'waste.overflow_hours' AND v.value IS NOT NULL AND p.ends_on <= r.today
GROUP BY a.ancestor_id, p.starts_on, p.ends_on
HAVING count(*) >= 0.75 * count(DISTINCT v.subject_id) * any_value(p.days)
ORDER BY subject_id, period_start
