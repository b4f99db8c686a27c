/*
id = "lighting.energy"
kind = "indicator"
version = 1
unit = "kW.h"
grain = "area, local day"
reads = ["streetlight", "assignments", "things", "run"]
cadence = "night"
reach = { before = 32, after = 32 }

[title]
en = "Energy of street lighting"
sl = "Poraba energije javne razsvetljave"

[meaning]
en = "Energy that the luminaires of an area drew on a local day, from their registers; a step across midnight is shared by time. A register that falls books nothing."
sl = "Energija, ki so jo svetilke območja porabile v krajevnem dnevu, iz njihovih števcev; razlika čez polnoč se razdeli po času. Števec, ki pade, ne prispeva ničesar."

[[example]]
title = "A tenth of a kilowatt-hour in each hour"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = [{ thing_id = "lamp", family = "streetlight", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "d1", thing_id = "lamp", valid_from = "2026-01-01T00:00:00Z" }]
streetlight = """
SELECT 'd1' AS device_id, t AS observed_at, 5 + 0.1 * (row_number() OVER (ORDER BY t) - 1) AS energy_total_kwh
FROM range(TIMESTAMPTZ '2026-03-01 22:30:00Z', TIMESTAMPTZ '2026-03-03 00:00:00Z', INTERVAL 1 HOUR) AS r (t)"""
[[example.expect]]
subject_id = "east"
period_start = 2026-03-01
value = 0.05
[[example.expect]]
subject_id = "east"
period_start = 2026-03-02
value = 2.4
coverage = 1.0
devices = 1
*/
WITH step AS (
    SELECT t.area_id, a.thing_id, r.zone, r.today,
        lag(s.observed_at) OVER w AS starts_at, s.observed_at AS ends_at,
        greatest(0, CAST(s.energy_total_kwh - lag(s.energy_total_kwh) OVER w AS DOUBLE)) AS kwh
    FROM streetlight AS s
    JOIN assignments AS a ON a.device_id = s.device_id AND s.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR s.observed_at < a.valid_to)
    JOIN things AS t ON t.thing_id = a.thing_id
    CROSS JOIN run AS r
    WHERE s.energy_total_kwh IS NOT NULL AND s.quality NOT IN (4, 9) AND t.area_id IS NOT NULL
    WINDOW w AS (PARTITION BY a.thing_id, s.device_id, a.valid_from ORDER BY s.observed_at)
),
dated AS (
    SELECT *, unnest(range(CAST(starts_at AT TIME ZONE zone AS DATE), CAST(ends_at AT TIME ZONE zone AS DATE) + INTERVAL 1 DAY,
        INTERVAL 1 DAY)) AS midnight
    FROM step WHERE ends_at > starts_at AND ends_at - starts_at <= INTERVAL 31 DAY
),
cut AS (
    SELECT area_id, thing_id, CAST(midnight AS DATE) AS local_date, today, kwh, epoch(ends_at) - epoch(starts_at) AS length,
        epoch((midnight + INTERVAL 1 DAY) AT TIME ZONE zone) - epoch(midnight AT TIME ZONE zone) AS day_length,
        epoch(least(ends_at, (midnight + INTERVAL 1 DAY) AT TIME ZONE zone))
            - epoch(greatest(starts_at, midnight AT TIME ZONE zone)) AS part
    FROM dated
)
SELECT 'area' AS subject_kind, area_id AS subject_id, local_date AS period_start, local_date + 1 AS period_end,
    sum(kwh * part / length) AS value, sum(kwh * part / length) AS numerator, count(DISTINCT thing_id) AS denominator,
    sum(part) / (count(DISTINCT thing_id) * any_value(day_length)) AS coverage, count(DISTINCT thing_id) AS devices,
    coalesce(sum(CASE WHEN length > 5400 AND part < length THEN kwh * part / length ELSE 0 END)
        / nullif(sum(kwh * part / length), 0), 0) AS estimated_share
FROM cut
WHERE local_date < today AND part > 0
GROUP BY area_id, local_date
ORDER BY subject_id, period_start
