/*
id = "traffic.aadt"
kind = "indicator"
version = 1
unit = "{vehicle}/d"
grain = "counter, local year"
reads = ["indicator_values", "local_periods", "run"]
needs = ["traffic.daily_volume"]
references = ["AASHTO: mean over the weekdays of the means over the months of the means of each weekday in each month", "A valid day has at least 90 % of the intervals of its least heard channel (a convention, unverified)"]
cadence = "night"
period = "year"
own = true
reach = { before = 0, after = 0 }

[title]
en = "Annual average daily traffic (AADT)"
sl = "Povprečni letni dnevni promet (PLDP)"

[meaning]
en = "Mean daily volume of a counter in a whole local year from its valid days (coverage 0.9 or more), balanced: first each weekday in each month, then its months, then the seven weekdays, so that a month of road works or a summer of missing Sundays does not tilt it. The numerator counts the cells of weekday and month that have a valid day, the denominator all 84; no value with fewer than three quarters of them."
sl = "Povprečni dnevni pretok števca v celem krajevnem letu iz veljavnih dni (pokritost vsaj 0,9), uravnoteženo: najprej vsak dan v tednu v vsakem mesecu, nato meseci, nato sedem dni v tednu, da ga mesec del na cesti ali poletje brez nedelj ne nagne. Števec šteje celice dneva in meseca z veljavnim dnem, imenovalec vseh 84; vrednosti ni, če jih ima manj kot tri četrtine."

[[example]]
title = "1000 on working days, 300 at weekends; in July only the Sundays are valid, and they do not pull it down"
as_of = 2026-01-02T12:00:00Z
[example.given]
indicator_values = """
SELECT 'traffic.daily_volume' AS indicator, 'thing' AS subject_kind, 'bridge' AS subject_id, d::DATE AS period_start, d::DATE + 1 AS period_end,
    CASE WHEN isodow(d) > 5 THEN 300.0 ELSE 1000.0 END AS value, CASE WHEN month(d) = 7 AND isodow(d) < 7 THEN 0.5 ELSE 1.0 END AS coverage
FROM range(TIMESTAMP '2025-01-01', TIMESTAMP '2026-01-01', INTERVAL 1 DAY) AS r (d)"""
[[example.expect]]
subject_kind = "thing"
subject_id = "bridge"
period_start = 2025-01-01
period_end = 2026-01-01
value = 800.0
numerator = 78.0
denominator = 84.0

[[example]]
title = "Half a year: no value"
as_of = 2026-01-02T12:00:00Z
[example.given]
indicator_values = """
SELECT 'traffic.daily_volume' AS indicator, 'thing' AS subject_kind, 'bridge' AS subject_id, d::DATE AS period_start, d::DATE + 1 AS period_end,
    1000.0 AS value, 1.0 AS coverage
FROM range(TIMESTAMP '2025-01-01', TIMESTAMP '2025-07-01', INTERVAL 1 DAY) AS r (d)"""
*/
WITH cell AS (
    SELECT v.subject_id, p.starts_on, p.ends_on, isodow(v.period_start) AS weekday, month(v.period_start) AS month,
        avg(CAST(v.value AS DECIMAL(18, 3))) AS volume, count(*) AS days, any_value(p.days) AS all_days
    FROM indicator_values AS v
    JOIN local_periods AS p ON p.period = 'year' AND p.starts_on = CAST(date_trunc('year', v.period_start) AS DATE)
    CROSS JOIN run AS r
    WHERE v.indicator = 'traffic.daily_volume' AND v.value IS NOT NULL AND v.coverage >= 0.9 AND p.ends_on <= r.today
    GROUP BY v.subject_id, p.starts_on, p.ends_on, weekday, month
),
weekly AS (
    SELECT subject_id, starts_on, ends_on, weekday, avg(volume) AS volume, count(*) AS cells, sum(days) AS days, any_value(all_days) AS all_days
    FROM cell GROUP BY subject_id, starts_on, ends_on, weekday
)
SELECT 'thing' AS subject_kind, subject_id, starts_on AS period_start, ends_on AS period_end, avg(volume) AS value,
    CAST(sum(cells) AS BIGINT) AS numerator, 84 AS denominator, sum(days) / any_value(all_days) AS coverage, 1 AS devices,
    0.0 AS estimated_share
FROM weekly
GROUP BY subject_id, starts_on, ends_on
HAVING count(*) = 7 AND sum(cells) >= 63
ORDER BY subject_id, period_start
