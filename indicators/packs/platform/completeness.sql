/*
id = "platform.completeness"
kind = "indicator"
version = 1
unit = "%"
grain = "family, local day"
reads = ["heard", "expected", "assignments", "run"]
cadence = "night"

[title]
en = "Completeness of readings"
sl = "Popolnost odčitkov"

[meaning]
en = "Intervals of a local day in which the devices in service of a family were heard, in percent of those declared for it. A device that speaks twice in an interval counts once; one that was never heard counts in the denominator."
sl = "Intervali krajevnega dneva, v katerih so bile naprave družine v obratovanju slišane, v odstotkih napovedanih. Naprava, ki v intervalu spregovori dvakrat, šteje enkrat; tista, ki je ni bilo nikoli slišati, šteje v imenovalcu."

[[example]]
title = "One of two containers is heard every hour, twice, the other never"
as_of = 2026-03-03T12:00:00Z
[example.given]
devices = "SELECT 'd' || i AS device_id, 'waste_container' AS family FROM range(2) AS r (i)"
assignments = "SELECT 'd' || i AS device_id, 'b' || i AS thing_id, TIMESTAMPTZ '2026-03-02 00:00:00Z' - INTERVAL 1 HOUR AS valid_from FROM range(2) AS r (i)"
waste_container = """
SELECT 'd0' AS device_id, t AS observed_at, 20.0 AS fill_pct
FROM range(TIMESTAMPTZ '2026-03-01 23:00:00Z', TIMESTAMPTZ '2026-03-02 23:00:00Z', INTERVAL 30 MINUTE) AS r (t)"""
[[example.expect]]
subject_kind = "family"
subject_id = "waste_container"
period_start = 2026-03-02
value = 50.0
numerator = 24.0
denominator = 48.0
devices = 2
*/
WITH heard_day AS (
    SELECT h.family, h.device_id, CAST(h.observed_at AT TIME ZONE r.zone AS DATE) AS local_date,
        count(DISTINCT epoch_us(h.observed_at) // (CAST(e.seconds AS BIGINT) * 1000000)) AS slots
    FROM heard AS h JOIN expected AS e ON e.family = h.family CROSS JOIN run AS r
    GROUP BY h.family, h.device_id, local_date
),
day AS (
    SELECT d.family, d.local_date, e.seconds,
        (d.local_date::TIMESTAMP) AT TIME ZONE r.zone AS starts_at, (d.local_date + INTERVAL 1 DAY) AT TIME ZONE r.zone AS ends_at
    FROM (
        SELECT family, unnest(range(min(local_date), max(local_date) + INTERVAL 1 DAY, INTERVAL 1 DAY))::DATE AS local_date
        FROM heard_day GROUP BY family
    ) AS d
    JOIN expected AS e ON e.family = d.family CROSS JOIN run AS r
    WHERE d.local_date < r.today
),
service AS (  -- seconds of the day for which each device was in service
    SELECT d.family, d.local_date, d.seconds, a.device_id,
        sum(epoch(least(coalesce(a.valid_to, d.ends_at), d.ends_at)) - epoch(greatest(a.valid_from, d.starts_at))) AS served
    FROM day AS d
    JOIN devices AS v ON v.family = d.family
    JOIN assignments AS a ON a.device_id = v.device_id AND a.valid_from < d.ends_at
        AND (a.valid_to IS NULL OR a.valid_to > d.starts_at)
    GROUP BY d.family, d.local_date, d.seconds, a.device_id
)
SELECT 'family' AS subject_kind, s.family AS subject_id, s.local_date AS period_start, s.local_date + 1 AS period_end,
    100 * sum(least(coalesce(h.slots, 0), s.served / s.seconds)) / sum(s.served / s.seconds) AS value,
    sum(least(coalesce(h.slots, 0), s.served / s.seconds)) AS numerator, sum(s.served / s.seconds) AS denominator,
    1.0 AS coverage, count(*) AS devices, 0.0 AS estimated_share
FROM service AS s
LEFT JOIN heard_day AS h ON h.device_id = s.device_id AND h.family = s.family AND h.local_date = s.local_date
GROUP BY s.family, s.local_date
HAVING sum(s.served) > 0
ORDER BY subject_id, period_start
