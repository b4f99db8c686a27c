/*
id = "waste.tomorrow"
kind = "indicator"
version = 1
unit = "%"
grain = "container, local day on which the list is made"
reads = ["waste_container", "emptyings", "assignments", "local_days", "run"]
references = ["Each container's own rate of the last seven days, emptyings left out"]
cadence = "hour"
own = true
reach = { before = 8, after = 2 }

[title]
en = "Containers that will be full by tomorrow evening"
sl = "Zabojniki, ki bodo polni do jutri zvečer"

[meaning]
en = "Expected fill at 20:00 local time of the next day of the containers that will then stand at 90 % or more, by their own mean rate of the last seven days (three of them known at least; emptyings left out) from their last reading of the day, or of the day before. The numerator is the last fill, the denominator the rate in points a day. The list of tomorrow is that of today's day."
sl = "Pričakovana napolnjenost ob 20. uri naslednjega krajevnega dne za zabojnike, ki bodo takrat napolnjeni 90 % ali več, po njihovi povprečni hitrosti zadnjih sedmih dni (vsaj trije znani; brez praznjenj) od zadnjega odčitka dneva ali prejšnjega dne. Števec je zadnja napolnjenost, imenovalec hitrost v točkah na dan. Seznam za jutri je seznam današnjega dne."

[[example]]
title = "At noon one container stands at 72 % and gains 24 points a day, the other 3"
as_of = 2026-03-06T11:00:00Z
[example.given]
things = "SELECT 'b' || i AS thing_id, 'waste_container' AS family, 'east' AS area_id, '{}' AS attributes FROM range(2) AS r (i)"
assignments = "SELECT 'd' || i AS device_id, 'b' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
waste_container = """
SELECT 'd' || i AS device_id, t AS observed_at, CASE WHEN i = 0 THEN 1.0 ELSE 0.125 END * date_diff('hour', TIMESTAMPTZ '2026-03-03 11:00:00Z', t) AS fill_pct
FROM range(TIMESTAMPTZ '2026-03-03 11:00:00Z', TIMESTAMPTZ '2026-03-06 12:00:00Z', INTERVAL 1 HOUR) AS r (t), range(2) AS b (i)"""
[[example.expect]]
subject_id = "b0"
period_start = 2026-03-06
value = 104.0
numerator = 72.0
denominator = 24.0
*/
WITH reading AS (
    SELECT a.thing_id, w.device_id, w.observed_at, w.fill_pct, lag(w.observed_at) OVER v AS before_at, lag(w.fill_pct) OVER v AS before
    FROM waste_container AS w
    JOIN assignments AS a ON a.device_id = w.device_id AND w.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR w.observed_at < a.valid_to)
    WHERE w.fill_pct IS NOT NULL AND w.quality NOT IN (4, 9)
    WINDOW v AS (PARTITION BY a.thing_id, w.device_id, a.valid_from ORDER BY w.observed_at)
),
daily AS (
    SELECT p.thing_id, CAST(p.observed_at AT TIME ZONE r.zone AS DATE) AS local_date, max(p.observed_at) AS last_at,
        arg_max(p.fill_pct, p.observed_at) AS fill_pct,
        coalesce(sum(CAST(p.fill_pct - p.before AS DECIMAL(18, 6))) FILTER (e.thing_id IS NULL AND p.observed_at - p.before_at <= INTERVAL 1 DAY), 0) AS rise,
        coalesce(sum(epoch_us(p.observed_at) - epoch_us(p.before_at)) FILTER (e.thing_id IS NULL AND p.observed_at - p.before_at <= INTERVAL 1 DAY), 0) AS micros
    FROM reading AS p CROSS JOIN run AS r
    LEFT JOIN emptyings AS e ON e.thing_id = p.thing_id AND e.emptied_at = p.observed_at
    GROUP BY p.thing_id, local_date
),
rate AS (
    SELECT l.local_date, d.thing_id, max(d.last_at) AS last_at, arg_max(d.fill_pct, d.last_at) AS fill_pct, sum(d.micros) AS micros,
        86400000000 * CAST(sum(d.rise) AS DOUBLE) / nullif(sum(d.micros), 0) AS points_a_day
    FROM (SELECT DISTINCT local_date FROM daily) AS l
    JOIN daily AS d ON d.local_date BETWEEN l.local_date - 6 AND l.local_date
    GROUP BY l.local_date, d.thing_id
),
expected AS (
    SELECT g.*, n.starts_at, g.fill_pct + g.points_a_day * (epoch_us((g.local_date + INTERVAL 44 HOUR) AT TIME ZONE r.zone) - epoch_us(g.last_at))
        / 86400000000 AS then_pct
    FROM rate AS g CROSS JOIN run AS r JOIN local_days AS n ON n.local_date = g.local_date
)
SELECT 'thing' AS subject_kind, thing_id AS subject_id, local_date AS period_start, local_date + 1 AS period_end,
    then_pct AS value, fill_pct AS numerator, points_a_day AS denominator, least(1, micros / 604800000000) AS coverage,
    1 AS devices, 1.0 AS estimated_share
FROM expected
WHERE then_pct >= 90 AND points_a_day > 0 AND micros >= 3 * 86400000000 AND last_at >= starts_at - INTERVAL 1 DAY
ORDER BY value DESC, subject_id
