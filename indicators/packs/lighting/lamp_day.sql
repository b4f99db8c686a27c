/*
id = "lighting.lamp_day"
kind = "detector"
version = 1
grain = "luminaire"
reads = ["streetlight", "assignments", "things", "sun", "run"]
cadence = "hour"

[title]
en = "Lamp burning by day"
sl = "Svetilka gori podnevi"

[meaning]
en = "A luminaire drew more than a tenth of its nominal power in at least three reports in a row, over two hours or more, in full daylight (one hour after sunrise to one hour before sunset). The amount is the energy wasted in daylight."
sl = "Svetilka je pri polni dnevni svetlobi (od ene ure po sončnem vzhodu do ene ure pred zahodom) v vsaj treh zaporednih poročilih, dve uri ali dlje, trošila več kot desetino nazivne moči. Znesek je energija, zapravljena podnevi."

[says.what]
en = "Lamp burning by day"
sl = "Svetilka gori podnevi"

[says.why]
en = "It draws {power_w:.0f} W in daylight (nominal {nominal_w:.0f} W), {kwh:.1f} kWh so far. Days: {days}, reports: {reports}."
sl = "Podnevi troši {power_w:.0f} W (nazivno {nominal_w:.0f} W), doslej {kwh:.1f} kWh. Dni: {days}, poročil: {reports}."

[says.chart]
en = "mean power by day, W"
sl = "povprečna moč podnevi, W"

[[example]]
title = "Burns since the second morning; the other was tried out by an electrician for an hour"
as_of = 2026-03-03T15:00:00Z
[example.given]
things = """SELECT 'l' || i AS thing_id, 'streetlight' AS family, 'east' AS area_id, '{"nominal_power_w": "40"}' AS attributes FROM range(2) AS r (i)"""
assignments = "SELECT 'd' || i AS device_id, 'l' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
streetlight = """
SELECT 'd' || i AS device_id, t AS observed_at, CASE WHEN hour(t) BETWEEN 6 AND 16 AND (i = 0 AND t < TIMESTAMPTZ '2026-03-03 05:00:00Z' OR i = 1 AND hour(t) NOT IN (10, 11)) THEN 0.4 ELSE 40.0 END AS power_w
FROM range(TIMESTAMPTZ '2026-03-01 12:00:00Z', TIMESTAMPTZ '2026-03-03 15:00:00Z', INTERVAL 1 HOUR) AS r (t), range(2) AS l (i)"""
[[example.expect]]
thing_id = "l0"
since = 2026-03-03T07:00:00Z
going_on = true
*/
WITH reading AS (
    SELECT a.thing_id, s.device_id, s.observed_at, s.power_w, d.day, d.sunrise, d.sunset,
        coalesce(try_cast(json_extract_string(t.attributes, '$.nominal_power_w') AS DOUBLE),
            max(s.power_w) OVER (PARTITION BY a.thing_id)) AS nominal, s.lamp_state
    FROM streetlight AS s
    JOIN assignments AS a ON a.device_id = s.device_id AND s.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR s.observed_at < a.valid_to)
    JOIN things AS t ON t.thing_id = a.thing_id
    CROSS JOIN run AS r
    JOIN sun AS d ON d.day = CAST(s.observed_at AT TIME ZONE r.zone AS DATE)
        AND s.observed_at BETWEEN d.sunrise + INTERVAL 1 HOUR AND d.sunset - INTERVAL 1 HOUR
    WHERE (s.power_w IS NOT NULL OR s.lamp_state IS NOT NULL) AND s.quality NOT IN (4, 9)
        AND s.observed_at > r.as_of - INTERVAL 35 DAY
),
lit AS (
    SELECT *, coalesce(power_w >= 0.1 * greatest(nominal, 5), lamp_state) AS burns FROM reading
),
island AS (
    SELECT *, count(*) FILTER (WHERE NOT burns) OVER (PARTITION BY thing_id ORDER BY observed_at) AS number,
        lead(observed_at) OVER (PARTITION BY thing_id ORDER BY observed_at) AS next_at
    FROM lit
),
episode AS (
    SELECT thing_id, any_value(device_id) AS device_id, min(observed_at) AS since, max(observed_at) AS seen,
        CASE WHEN count(next_at) = count(*) THEN max(next_at) END AS until, count(*) AS reports,
        avg(CAST(coalesce(power_w, nominal) AS DECIMAL(18, 6))) AS power, max(nominal) AS nominal, count(DISTINCT day) AS days,
        avg(epoch(sunset) - epoch(sunrise)) / 3600 AS day_hours
    FROM island WHERE burns
    GROUP BY thing_id, number
    HAVING count(*) >= 3 AND max(observed_at) - min(observed_at) >= INTERVAL 2 HOUR
),
chart AS (
    SELECT thing_id, list(power ORDER BY day)[-28:] AS chart
    FROM (SELECT thing_id, day, round(avg(CAST(power_w AS DECIMAL(18, 6))), 1) AS power FROM lit GROUP BY thing_id, day) GROUP BY thing_id
),
sized AS (
    SELECT *, power / 1000 * least(days * day_hours, (epoch(coalesce(until, seen)) - epoch(since)) / 3600) AS kwh FROM episode
)
SELECT e.thing_id, e.device_id, t.area_id, e.since, e.until, 'warning' AS severity,
    CAST(NULL AS DOUBLE) AS litres_per_hour, CAST(NULL AS DOUBLE) AS volume_m3, round(e.kwh * r.energy_eur_kwh, 2) AS eur,
    round(least(0.99, 0.8 + 0.01 * e.reports), 2) AS confidence,
    {
        'reports': e.reports, 'days': e.days, 'power_w': round(e.power, 1), 'nominal_w': e.nominal, 'kwh': round(e.kwh, 2),
        'chart': c.chart
    } AS evidence,
    e.until IS NULL AS going_on
FROM sized AS e
JOIN things AS t ON t.thing_id = e.thing_id
JOIN chart AS c ON c.thing_id = e.thing_id
CROSS JOIN run AS r
