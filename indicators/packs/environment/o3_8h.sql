/*
id = "environment.o3_8h"
kind = "indicator"
version = 1
unit = "ug/m3"
grain = "station, local day"
reads = ["air_hourly", "local_days", "run"]
references = ["Daily maximum of the running 8-hour means, each of the day on which it ends; target 120 ug/m3 (Directive 2008/50/EC)", "8-hour mean from 6 valid hours or more, day from 75 % of the 8-hour means (unverified)"]
cadence = "night"
own = true
reach = { before = 1, after = 0 }

[title]
en = "Ozone: highest 8-hour mean of the day"
sl = "Ozon: najvišje 8-urno povprečje dneva"

[meaning]
en = "Highest mean over eight hours that ends on a local day. An 8-hour mean needs six valid hours, a day three quarters of its 8-hour means; otherwise there is no value. The numerator counts the valid 8-hour means, the denominator the hours of the day."
sl = "Najvišje osemurno povprečje, ki se konča v krajevnem dnevu. Osemurno povprečje zahteva šest veljavnih ur, dan pa tri četrtine osemurnih povprečij; sicer vrednosti ni. Števec so veljavna osemurna povprečja, imenovalec ure dneva."

[[example]]
title = "Eight hours at 130, and of the silent day behind only what the evening before left: no value"
as_of = 2026-07-04T12:00:00Z
[example.given]
assignments = [{ device_id = "d1", thing_id = "x", valid_from = "2024-01-01T00:00:00Z" }]
air_quality = """
SELECT 'd1' AS device_id, t AS observed_at, CASE WHEN hour(t) BETWEEN 10 AND 17 THEN 130.0 ELSE 50.0 END AS o3_ugm3
FROM range(TIMESTAMPTZ '2026-07-01 22:00:00Z', TIMESTAMPTZ '2026-07-02 22:00:00Z', INTERVAL 15 MINUTE) AS r (t)"""
[[example.expect]]
subject_id = "x"
period_start = 2026-07-02
value = 130.0
numerator = 19.0
denominator = 24.0
*/
WITH hourly AS (
    SELECT thing_id, starts_at, CAST(level_ugm3 AS DECIMAL(18, 4)) AS level FROM air_hourly WHERE pollutant = 'o3' AND coverage >= 0.75
),
ending AS (  -- every hour in which an 8-hour mean can end, also one that is not valid itself
    SELECT DISTINCT thing_id, unnest(generate_series(starts_at, starts_at + INTERVAL 7 HOUR, INTERVAL 1 HOUR)) AS starts_at FROM hourly
),
eight AS (
    SELECT e.thing_id, e.starts_at, avg(h.level) OVER w AS level, count(h.level) OVER w AS hours
    FROM ending AS e LEFT JOIN hourly AS h ON h.thing_id = e.thing_id AND h.starts_at = e.starts_at
    WINDOW w AS (PARTITION BY e.thing_id ORDER BY e.starts_at RANGE BETWEEN INTERVAL 7 HOUR PRECEDING AND CURRENT ROW)
),
dated AS (  -- the day on which its last hour begins
    SELECT e.thing_id, e.level, CAST(e.starts_at AT TIME ZONE r.zone AS DATE) AS local_date
    FROM eight AS e CROSS JOIN run AS r WHERE e.hours >= 6
)
SELECT 'thing' AS subject_kind, d.thing_id AS subject_id, d.local_date AS period_start, d.local_date + 1 AS period_end,
    CAST(max(d.level) AS DOUBLE) AS value, count(*) AS numerator, any_value(l.hours) AS denominator,
    least(1, count(*) / any_value(l.hours)) AS coverage, 1 AS devices, 0.0 AS estimated_share
FROM dated AS d JOIN local_days AS l ON l.local_date = d.local_date CROSS JOIN run AS r
WHERE d.local_date < r.today
GROUP BY d.thing_id, d.local_date
HAVING count(*) >= 0.75 * any_value(l.hours)
ORDER BY subject_id, period_start
