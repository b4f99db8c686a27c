/*
id = "lighting.cabinet_dark"
kind = "detector"
version = 1
grain = "lighting cabinet"
reads = ["lamp_nights", "streetlight", "assignments", "things", "local_days", "municipality", "register_luminaires", "run"]
cadence = "hour"
memory_days = 35
explains = ["lighting.lamp_dark"]

[title]
en = "All lamps of a cabinet dark"
sl = "Vse svetilke prižigališča ne gorijo"

[meaning]
en = "In a night at least three luminaires of one cabinet (register of luminaires), and four of five of those that were heard, gave no light at all, though none was to be off (dim_pct 0): a fuse, a cable or the switching of the cabinet, not lamps. It begins when half of them had burned for the last time, and ends with the first night in which fewer are dark. Alarms of its lamps stand below it."
sl = "V noči vsaj tri svetilke istega prižigališča (register svetilk) in štiri petine slišanih sploh niso svetile, čeprav nobena ni bila namenoma ugasnjena (dim_pct 0): varovalka, kabel ali vklop prižigališča, ne svetilke. Začne se, ko je polovica zadnjič gorela, konča s prvo nočjo, v kateri je temnih manj. Alarmi njegovih svetilk so pod njim."

[says.what]
en = "All lamps of a cabinet dark"
sl = "Vse svetilke prižigališča ne gorijo"

[says.why]
en = "{dark} of {lamps} lamps of cabinet {cabinet} that were heard gave no light; nights: {nights}."
sl = "Od slišanih svetilk prižigališča {cabinet} ({lamps}) jih {dark} ni svetilo; noči: {nights}."

[says.chart]
en = "dark lamps, night by night"
sl = "temne svetilke po nočeh"

[[example]]
title = "Four lamps of the cabinet are dark since one in the night; of the other cabinet two of four, and one without a cabinet"
as_of = 2026-03-05T12:00:00Z
[example.given]
things = """SELECT 'l' || i AS thing_id, 'streetlight' AS family, 'east' AS area_id, '{"nominal_power_w": 40}' AS attributes FROM range(9) AS r (i)"""
assignments = "SELECT 'd' || i AS device_id, 'l' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(9) AS r (i)"
register_luminaires = "SELECT 'l' || i AS luminaire_id, 'cabinet-' || i // 4 AS cabinet_id, TIMESTAMPTZ '2020-01-01 00:00:00Z' AS valid_from FROM range(8) AS r (i)"
streetlight = """
SELECT 'd' || i AS device_id, t AS observed_at, CASE WHEN hour(t) BETWEEN 6 AND 16 OR t > TIMESTAMPTZ '2026-03-04 00:00:00Z' AND i NOT IN (4, 5) THEN 0.4 ELSE 39.0 END AS power_w
FROM range(TIMESTAMPTZ '2026-03-02 12:00:00Z', TIMESTAMPTZ '2026-03-05 12:00:00Z', INTERVAL 1 HOUR) AS r (t), range(9) AS l (i)"""
[[example.expect]]
thing_id = "cabinet-0"
area_id = "east"
since = 2026-03-04T00:00:00Z
going_on = true
*/
WITH night AS (
    SELECT u.cabinet_id, n.local_date, n.thing_id, n.dawn, n.area_id, n.burning_h = 0 AS dark
    FROM lamp_nights AS n CROSS JOIN run AS r
    JOIN register_luminaires AS u ON u.luminaire_id = n.thing_id AND u.cabinet_id IS NOT NULL AND u.valid_from <= n.dawn
        AND (u.valid_to IS NULL OR u.valid_to > n.dawn)
    WHERE n.known_h >= 2 AND n.resting_h = 0 AND n.local_date > r.today - 35
),
cabinet AS (
    SELECT cabinet_id, local_date, max(dawn) AS dawn, any_value(area_id) AS area_id, count(*) AS lamps, count(*) FILTER (dark) AS dark,
        list(thing_id ORDER BY thing_id) FILTER (dark) AS dark_lamps, count(*) FILTER (dark) >= greatest(3, 0.8 * count(*)) AS out
    FROM night GROUP BY cabinet_id, local_date
),
island AS (
    SELECT *, count(*) FILTER (WHERE NOT out) OVER v AS number, lead(dawn) OVER v AS next_dawn,
        list(dark) OVER (v ROWS 27 PRECEDING) AS chart
    FROM cabinet WINDOW v AS (PARTITION BY cabinet_id ORDER BY local_date)
),
episode AS (
    SELECT cabinet_id, any_value(area_id) AS area_id, min(dawn) AS first_dawn, count(*) AS nights, arg_max(dark, local_date) AS dark,
        arg_max(lamps, local_date) AS lamps, arg_min(dark_lamps, local_date) AS dark_lamps, arg_max(chart, local_date) AS chart,
        CASE WHEN count(next_dawn) = count(*) THEN max(next_dawn) END AS until
    FROM island WHERE out
    GROUP BY cabinet_id, number
),
lit AS (  -- when each of them burned last before; a lamp that never did says nothing
    SELECT e.cabinet_id, e.first_dawn, a.thing_id, max(s.observed_at) AS last_lit
    FROM episode AS e
    JOIN assignments AS a ON list_contains(e.dark_lamps, a.thing_id)
    JOIN things AS t ON t.thing_id = a.thing_id
    JOIN streetlight AS s ON s.device_id = a.device_id AND s.observed_at >= a.valid_from AND (a.valid_to IS NULL OR s.observed_at < a.valid_to)
    WHERE s.observed_at < e.first_dawn AND s.quality NOT IN (4, 9)
        AND coalesce(s.power_w >= 0.1 * coalesce(try_cast(json_extract_string(t.attributes, '$.nominal_power_w') AS DOUBLE), 20), s.lamp_state, false)
    GROUP BY e.cabinet_id, e.first_dawn, a.thing_id
),
dated AS (
    SELECT cabinet_id, first_dawn, quantile_disc(last_lit, 0.5) AS since FROM lit GROUP BY cabinet_id, first_dawn
)
SELECT e.cabinet_id AS thing_id, CAST(NULL AS VARCHAR) AS device_id, e.area_id, coalesce(d.since, e.first_dawn - INTERVAL 8 HOUR) AS since,
    e.until, 'warning' AS severity,
    CAST(NULL AS DOUBLE) AS litres_per_hour, CAST(NULL AS DOUBLE) AS volume_m3, CAST(NULL AS DOUBLE) AS eur, 0.95 AS confidence,
    {'cabinet': e.cabinet_id, 'dark': e.dark, 'lamps': e.lamps, 'nights': e.nights, 'things': e.dark_lamps, 'chart': e.chart} AS evidence,
    e.until IS NULL AS going_on
FROM episode AS e LEFT JOIN dated AS d ON d.cabinet_id = e.cabinet_id AND d.first_dawn = e.first_dawn
