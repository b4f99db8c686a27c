/*
id = "lighting.lamp_dark"
kind = "detector"
version = 2
grain = "luminaire"
reads = ["streetlight", "assignments", "things", "sun", "run"]
cadence = "hour"

[title]
en = "Lamp dark at night"
sl = "Svetilka ponoči ne gori"

[meaning]
en = "A luminaire was dark in every report of the deep night (30 min after sunset to 30 min before sunrise), three reports or more: power under a tenth of the nominal, or off where it gives no power. A lamp that is dimmed or off for a part of the night burns in the rest and is no fault; reports that say that it is to be off (dim_pct 0) do not count."
sl = "Svetilka je bila temna v vseh poročilih globoke noči (od 30 min po sončnem zahodu do 30 min pred vzhodom), vsaj v treh: moč pod desetino nazivne oziroma ugasnjena, če moči ne sporoča. Svetilka, ki je del noči zatemnjena ali ugasnjena, v preostanku gori in ni okvarjena; poročila, da naj ne gori (dim_pct 0), ne štejejo."

[says.what]
en = "Lamp dark at night"
sl = "Svetilka ponoči ne gori"

[says.why]
en = "It draws {power_w:.1f} W at night, before {usual_w:.0f} W (nominal {nominal_w:.0f} W). Nights in the dark: {nights}, reports without light: {dark_reports}."
sl = "Ponoči troši {power_w:.1f} W, prej {usual_w:.0f} W (nazivno {nominal_w:.0f} W). Temnih noči: {nights}, poročil brez svetlobe: {dark_reports}."

[says.chart]
en = "mean power of each night, W"
sl = "povprečna moč vsake noči, W"

[[example]]
title = "Dark since the second evening; its neighbour saves energy after midnight"
as_of = 2026-03-04T12:00:00Z
[example.given]
things = """SELECT 'l' || i AS thing_id, 'streetlight' AS family, 'east' AS area_id, '{"nominal_power_w": 40}' AS attributes FROM range(2) AS r (i)"""
assignments = "SELECT 'd' || i AS device_id, 'l' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
streetlight = """
SELECT 'd' || i AS device_id, t AS observed_at, CASE WHEN hour(t) BETWEEN 6 AND 16 OR (i = 0 AND t > TIMESTAMPTZ '2026-03-03 12:00:00Z') OR (i = 1 AND hour(t) < 4) THEN 0.4 ELSE 39.0 END AS power_w
FROM range(TIMESTAMPTZ '2026-03-01 12:00:00Z', TIMESTAMPTZ '2026-03-04 12:00:00Z', INTERVAL 1 HOUR) AS r (t), range(2) AS l (i)"""
[[example.expect]]
thing_id = "l0"
since = 2026-03-03T18:00:00Z
going_on = true

[[example]]
title = "Off all night because it is to be; the other is commanded to 80 % and dark"
as_of = 2026-03-04T12:00:00Z
[example.given]
things = """SELECT 'l' || i AS thing_id, 'streetlight' AS family, 'east' AS area_id, '{"nominal_power_w": 40}' AS attributes FROM range(2) AS r (i)"""
assignments = "SELECT 'd' || i AS device_id, 'l' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
streetlight = """
SELECT 'd' || i AS device_id, t AS observed_at, 0.3 AS power_w, 80 * i AS dim_pct
FROM range(TIMESTAMPTZ '2026-03-03 18:00:00Z', TIMESTAMPTZ '2026-03-04 04:00:00Z', INTERVAL 1 HOUR) AS r (t), range(2) AS l (i)"""
[[example.expect]]
thing_id = "l1"
since = 2026-03-03T18:00:00Z
*/
WITH night AS (
    SELECT day, sunset + INTERVAL 30 MINUTE AS dusk, lead(sunrise) OVER (ORDER BY day) - INTERVAL 30 MINUTE AS dawn FROM sun
),
reading AS (
    SELECT a.thing_id, s.device_id, s.observed_at, s.power_w, n.day,
        coalesce(try_cast(json_extract_string(t.attributes, '$.nominal_power_w') AS DOUBLE),
            max(s.power_w) OVER (PARTITION BY a.thing_id)) AS nominal, s.lamp_state, s.dim_pct
    FROM streetlight AS s
    JOIN assignments AS a ON a.device_id = s.device_id AND s.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR s.observed_at < a.valid_to)
    JOIN things AS t ON t.thing_id = a.thing_id
    CROSS JOIN run AS r
    JOIN night AS n ON n.day = CAST((s.observed_at AT TIME ZONE r.zone) - INTERVAL 12 HOUR AS DATE)
        AND s.observed_at BETWEEN n.dusk AND n.dawn
    WHERE (s.power_w IS NOT NULL OR s.lamp_state IS NOT NULL) AND s.quality NOT IN (4, 9)
        AND s.observed_at > r.as_of - INTERVAL 35 DAY
),
lit AS (
    SELECT *, coalesce(power_w >= 0.1 * greatest(nominal, 5), lamp_state) AS burns FROM reading
    WHERE burns OR lamp_state OR dim_pct IS DISTINCT FROM 0  -- dark as it is to be says nothing
),
nightly AS (
    SELECT thing_id, day, count(*) >= 3 AND NOT bool_or(burns) AS dark, min(observed_at) AS first_report,
        avg(CAST(power_w AS DECIMAL(18, 6))) AS power, count(*) AS reports, max(nominal) AS nominal, any_value(device_id) AS device_id,
        max(CASE WHEN burns THEN observed_at END) AS last_lit
    FROM lit GROUP BY thing_id, day
    HAVING count(*) >= 3
),
numbered AS (
    SELECT *, count(*) FILTER (WHERE NOT dark) OVER (PARTITION BY thing_id ORDER BY day) AS number FROM nightly
),
episode AS (
    SELECT thing_id, any_value(device_id) AS device_id, min(first_report) AS first_dark, count(*) AS nights,
        sum(reports) AS reports, avg(CAST(power AS DECIMAL(18, 6))) AS power, max(nominal) AS nominal, max(day) AS last_day
    FROM numbered WHERE dark
    GROUP BY thing_id, number
),
bounded AS (
    SELECT e.*, (SELECT max(l.observed_at) FROM lit AS l WHERE l.thing_id = e.thing_id AND l.burns AND l.observed_at < e.first_dark)
            AS last_lit,
        (SELECT min(l.observed_at) FROM lit AS l WHERE l.thing_id = e.thing_id AND l.burns AND l.observed_at > e.first_dark)
            AS until,
        (SELECT avg(CAST(l.power_w AS DECIMAL(18, 6))) FROM lit AS l WHERE l.thing_id = e.thing_id AND l.burns AND l.observed_at < e.first_dark) AS usual
    FROM episode AS e
),
dated AS (  -- the first report without light after the last one with it
    SELECT b.*, coalesce((SELECT min(l.observed_at) FROM lit AS l WHERE l.thing_id = b.thing_id AND l.observed_at > b.last_lit),
        b.first_dark) AS since
    FROM bounded AS b
),
chart AS (
    SELECT thing_id, list(round(power, 1) ORDER BY day)[-28:] AS chart FROM nightly GROUP BY thing_id
)
SELECT d.thing_id, d.device_id, t.area_id, d.since, d.until, 'warning' AS severity,
    CAST(NULL AS DOUBLE) AS litres_per_hour, CAST(NULL AS DOUBLE) AS volume_m3, CAST(NULL AS DOUBLE) AS eur,
    round(least(0.99, 0.8 + 0.05 * d.nights), 2) AS confidence,
    {
        'nights': d.nights, 'dark_reports': d.reports, 'power_w': round(d.power, 2), 'usual_w': round(d.usual, 1),
        'nominal_w': d.nominal, 'chart': c.chart
    } AS evidence,
    d.until IS NULL AS going_on
FROM dated AS d
JOIN things AS t ON t.thing_id = d.thing_id
JOIN chart AS c ON c.thing_id = d.thing_id
