/*
id = "platform.reporting"
kind = "indicator"
version = 1
unit = "%"
grain = "family, local day"
reads = ["heard", "devices", "assignments", "run"]
cadence = "night"

[title]
en = "Reporting share"
sl = "Delež naprav, ki poročajo"

[meaning]
en = "Share of the devices in service of a family that were heard at least once on a local day. Stands beside what is installed: a dead device is installed and reports nothing."
sl = "Delež naprav družine v obratovanju, ki so bile v krajevnem dnevu slišane vsaj enkrat. Stoji ob številu nameščenih: mrtva naprava je nameščena, a ne poroča."

[[example]]
title = "One of two containers is heard"
as_of = 2026-03-03T12:00:00Z
[example.given]
devices = "SELECT 'd' || i AS device_id, 'waste_container' AS family FROM range(2) AS r (i)"
assignments = "SELECT 'd' || i AS device_id, 'b' || i AS thing_id, TIMESTAMPTZ '2026-01-02 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
waste_container = [{ device_id = "d0", observed_at = "2026-03-02T12:00:00Z", fill_pct = 20.0 }]
[[example.expect]]
subject_id = "waste_container"
period_start = 2026-03-02
value = 50.0
numerator = 1.0
denominator = 2.0
*/
WITH heard_day AS (
    SELECT DISTINCT h.family, h.device_id, CAST(h.observed_at AT TIME ZONE r.zone AS DATE) AS local_date
    FROM heard AS h CROSS JOIN run AS r
),
day AS (
    SELECT d.family, d.local_date, (d.local_date::TIMESTAMP) AT TIME ZONE r.zone AS starts_at,
        (d.local_date + INTERVAL 1 DAY) AT TIME ZONE r.zone AS ends_at
    FROM (
        SELECT family, unnest(range(min(local_date), max(local_date) + INTERVAL 1 DAY, INTERVAL 1 DAY))::DATE AS local_date
        FROM heard_day GROUP BY family
    ) AS d CROSS JOIN run AS r
    WHERE d.local_date < r.today
),
service AS (
    SELECT DISTINCT d.family, d.local_date, a.device_id
    FROM day AS d
    JOIN devices AS v ON v.family = d.family
    JOIN assignments AS a ON a.device_id = v.device_id AND a.valid_from < d.ends_at
        AND (a.valid_to IS NULL OR a.valid_to > d.starts_at)
)
SELECT 'family' AS subject_kind, s.family AS subject_id, s.local_date AS period_start, s.local_date + 1 AS period_end,
    100.0 * count(h.device_id) / count(*) AS value, count(h.device_id) AS numerator, count(*) AS denominator,
    1.0 AS coverage, count(*) AS devices, 0.0 AS estimated_share
FROM service AS s
LEFT JOIN heard_day AS h ON h.device_id = s.device_id AND h.family = s.family AND h.local_date = s.local_date
GROUP BY s.family, s.local_date
ORDER BY subject_id, period_start
