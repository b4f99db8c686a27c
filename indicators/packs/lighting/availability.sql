/*
id = "lighting.availability"
kind = "indicator"
version = 1
unit = "%"
grain = "area, local night"
reads = ["streetlight", "assignments", "things", "sun", "run"]
cadence = "night"

[title]
en = "Availability of street lighting"
sl = "Razpoložljivost javne razsvetljave"

[meaning]
en = "Share of the luminaires heard at night (30 min after sunset to 30 min before sunrise) that burned in at least half of their reports. The period is the local day on which the night begins. Power under a tenth of the nominal is dark."
sl = "Delež svetilk, slišanih ponoči (od 30 min po sončnem zahodu do 30 min pred vzhodom), ki so gorele v vsaj polovici svojih poročil. Obdobje je krajevni dan, v katerem se noč začne. Moč pod desetino nazivne pomeni temno."

[[example]]
title = "One of two lamps is dark; what is reported by day does not count"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = """SELECT 'l' || i AS thing_id, 'streetlight' AS family, 'east' AS area_id, '{"nominal_power_w": 40}' AS attributes FROM range(2) AS r (i)"""
assignments = "SELECT 'd' || i AS device_id, 'l' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
streetlight = """
SELECT 'd' || i AS device_id, t AS observed_at, CASE WHEN i = 0 AND hour(t) NOT BETWEEN 6 AND 16 THEN 39.0 ELSE 0.5 END AS power_w
FROM range(TIMESTAMPTZ '2026-03-02 12:00:00Z', TIMESTAMPTZ '2026-03-03 12:00:00Z', INTERVAL 1 HOUR) AS r (t), range(2) AS l (i)"""
[[example.expect]]
subject_id = "east"
period_start = 2026-03-02
value = 50.0
numerator = 1.0
denominator = 2.0
coverage = 1.0
*/
WITH night AS (
    SELECT day, sunset + INTERVAL 30 MINUTE AS dusk, lead(sunrise) OVER (ORDER BY day) - INTERVAL 30 MINUTE AS dawn FROM sun
),
lamp AS (
    SELECT n.day, t.area_id, t.thing_id, count(*) AS reports,
        avg(CASE WHEN coalesce(s.power_w >= 0.1 * coalesce(
            try_cast(json_extract_string(t.attributes, '$.nominal_power_w') AS DOUBLE), 20), s.lamp_state) THEN 1.0 ELSE 0 END)
            AS burning
    FROM streetlight AS s
    JOIN assignments AS a ON a.device_id = s.device_id AND s.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR s.observed_at < a.valid_to)
    JOIN things AS t ON t.thing_id = a.thing_id
    CROSS JOIN run AS r
    JOIN night AS n ON n.day = CAST((s.observed_at AT TIME ZONE r.zone) - INTERVAL 12 HOUR AS DATE)
        AND s.observed_at BETWEEN n.dusk AND n.dawn
    WHERE (s.power_w IS NOT NULL OR s.lamp_state IS NOT NULL) AND s.quality NOT IN (4, 9)
        AND t.area_id IS NOT NULL AND n.dawn <= r.as_of
    GROUP BY n.day, t.area_id, t.thing_id
),
registered AS (
    SELECT area_id, count(*) AS things FROM things WHERE family = 'streetlight' GROUP BY area_id
)
SELECT 'area' AS subject_kind, l.area_id AS subject_id, l.day AS period_start, l.day + 1 AS period_end,
    100.0 * count(*) FILTER (WHERE l.burning >= 0.5) / count(*) AS value,
    count(*) FILTER (WHERE l.burning >= 0.5) AS numerator, count(*) AS denominator,
    least(1, count(*) / any_value(g.things)) AS coverage, count(*) AS devices, 0.0 AS estimated_share
FROM lamp AS l JOIN registered AS g ON g.area_id = l.area_id
GROUP BY l.area_id, l.day
ORDER BY subject_id, period_start
