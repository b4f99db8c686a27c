/*
id = "waste.overflow_hours"
kind = "indicator"
version = 2
unit = "h"
grain = "container, local day"
reads = ["waste_container", "assignments", "local_days", "run"]
cadence = "night"
own = true

[title]
en = "Overflow hours of a container"
sl = "Ure prepolnosti zabojnika"

[meaning]
en = "Hours of a local day in which a container stood at 90 % or more. A reading counts until the next one, three hours at most; denominator and coverage say how much of the day was known."
sl = "Ure krajevnega dneva, v katerih je bil zabojnik napolnjen 90 % ali več. Odčitek velja do naslednjega, največ tri ure; imenovalec in pokritost povesta, koliko dneva je bilo znanega."

[[example]]
title = "Full from noon to three, then emptied"
as_of = 2026-03-03T12:00:00Z
[example.given]
assignments = [{ device_id = "d1", thing_id = "bin", valid_from = "2026-01-01T00:00:00Z" }]
waste_container = """
SELECT 'd1' AS device_id, t AS observed_at, CASE WHEN hour(t) BETWEEN 11 AND 13 THEN 96.0 WHEN hour(t) < 11 THEN 80.0 ELSE 5.0 END AS fill_pct
FROM range(TIMESTAMPTZ '2026-03-01 23:00:00Z', TIMESTAMPTZ '2026-03-02 23:30:00Z', INTERVAL 1 HOUR) AS r (t)"""
[[example.expect]]
subject_id = "bin"
period_start = 2026-03-02
value = 3.0
denominator = 24.0
coverage = 1.0

[[example]]
title = "A reading of before midnight holds behind it; what fell silent is known for three hours"
as_of = 2026-03-03T12:00:00Z
[example.given]
assignments = [{ device_id = "d1", thing_id = "bin", valid_from = "2026-01-01T00:00:00Z" }]
waste_container = [{ device_id = "d1", observed_at = "2026-03-01T22:00:00Z", fill_pct = 95.0 }]
[[example.expect]]
period_start = 2026-03-01
value = 1.0
denominator = 1.0
[[example.expect]]
period_start = 2026-03-02
value = 2.0
denominator = 2.0
coverage = 0.083333333
*/
WITH reading AS (
    SELECT a.thing_id, w.fill_pct >= 90 AS is_full, w.observed_at, r.zone,
        least(w.observed_at + INTERVAL 3 HOUR, coalesce(lead(w.observed_at) OVER v, w.observed_at + INTERVAL 3 HOUR), r.as_of) AS until
    FROM waste_container AS w CROSS JOIN run AS r
    JOIN assignments AS a ON a.device_id = w.device_id AND w.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR w.observed_at < a.valid_to)
    WHERE w.fill_pct IS NOT NULL AND w.quality NOT IN (4, 9)
    WINDOW v AS (PARTITION BY a.thing_id ORDER BY w.observed_at)
),
dated AS (  -- what begins before midnight holds behind it, too
    SELECT *, CAST(observed_at AT TIME ZONE zone AS DATE) AS local_date FROM reading
    UNION ALL
    SELECT *, CAST(until AT TIME ZONE zone AS DATE) FROM reading
    WHERE CAST(until AT TIME ZONE zone AS DATE) > CAST(observed_at AT TIME ZONE zone AS DATE)
),
day AS (
    SELECT d.thing_id, d.local_date, any_value(l.hours) AS hours,
        sum(epoch_us(least(d.until, l.ends_at)) - epoch_us(greatest(d.observed_at, l.starts_at))) / 3.6e9 AS known,
        coalesce(sum(epoch_us(least(d.until, l.ends_at)) - epoch_us(greatest(d.observed_at, l.starts_at))) FILTER (d.is_full), 0) / 3.6e9
            AS full_hours
    FROM dated AS d JOIN local_days AS l ON l.local_date = d.local_date
    GROUP BY d.thing_id, d.local_date
)
SELECT 'thing' AS subject_kind, thing_id AS subject_id, local_date AS period_start, local_date + 1 AS period_end,
    full_hours AS value, full_hours AS numerator, known AS denominator, known / hours AS coverage, 1 AS devices, 0.0 AS estimated_share
FROM day CROSS JOIN run AS r
WHERE local_date < r.today AND known > 0
ORDER BY subject_id, period_start
