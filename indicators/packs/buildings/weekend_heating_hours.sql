/*
id = "buildings.weekend_heating_hours"
kind = "indicator"
version = 1
unit = "h"
grain = "building, local day"
personal = true
reads = ["heat_meter", "assignments", "held_days", "local_days", "municipality", "run", "things"]
references = ["A quarter of the nominal power: a convention, unverified", "Half of the day heard: a convention, unverified"]
cadence = "night"
own = true

[title]
en = "Hours of heating at weekends and holidays"
sl = "Ure ogrevanja ob koncih tedna in praznikih"

[meaning]
en = "Hours of a local day that is no working day in which a building drew at least a quarter of its nominal heating power (attribute nominal_power_kw; without it no value): less is taken as protection from frost. A reading holds until the next one, two hours at most; below half of the day heard there is no value. Hot water is not told apart."
sl = "Ure krajevnega dneva, ki ni delovni dan, v katerih je stavba jemala vsaj četrtino nazivne moči ogrevanja (atribut nominal_power_kw; brez njega vrednosti ni): manj velja za zaščito pred zmrzaljo. Odčitek velja do naslednjega, največ dve uri; če je slišane manj kot polovica dneva, vrednosti ni. Topla voda ni ločena."

[[example]]
title = "Five hours on a Sunday of 23 hours; the Monday behind it does not count"
as_of = 2026-03-31T12:00:00Z
[example.given]
things = """SELECT 'x' || i AS thing_id, 'heat_meter' AS family, '{"nominal_power_kw": "100"}' AS attributes FROM range(2) AS r (i)"""
assignments = "SELECT 'd' || i AS device_id, 'x' || i AS thing_id, TIMESTAMPTZ '2024-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
heat_meter = """
SELECT 'd' || i AS device_id, t AS observed_at, CASE WHEN hour(t) BETWEEN 4 AND 8 THEN 30.0 ELSE 5.0 END AS power_kw
FROM range(TIMESTAMPTZ '2026-03-28 23:00:00Z', TIMESTAMPTZ '2026-03-30 22:00:00Z', INTERVAL 1 HOUR) AS r (t), range(2) AS d (i)
WHERE i = 0 OR hour(t) = 5"""
[[example.expect]]
subject_kind = "thing"
subject_id = "x0"
period_start = 2026-03-29
value = 5.0
denominator = 23.0
*/
WITH reading AS (
    SELECT a.thing_id, w.observed_at,
        CASE WHEN w.power_kw >= 0.25 * try_cast(json_extract_string(t.attributes, '$.nominal_power_kw') AS DOUBLE) THEN 1.0 ELSE 0.0 END AS amount
    FROM heat_meter AS w
    JOIN assignments AS a ON a.device_id = w.device_id AND w.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR w.observed_at < a.valid_to)
    JOIN things AS t ON t.thing_id = a.thing_id
    CROSS JOIN municipality AS m
    JOIN local_days AS l ON l.local_date = CAST(timezone(m.zone, w.observed_at) AS DATE)
    WHERE w.power_kw IS NOT NULL AND NOT l.working_day AND try_cast(json_extract_string(t.attributes, '$.nominal_power_kw') AS DOUBLE) > 0 AND w.quality NOT IN (4, 9)
)
SELECT 'thing' AS subject_kind, h.thing_id AS subject_id, h.local_date AS period_start, h.local_date + 1 AS period_end,
    h.amount_h AS value, h.amount_h AS numerator, h.known_h AS denominator, h.heard_h / h.day_h AS coverage, 1 AS devices, 0.0 AS estimated_share
FROM held_days('reading', INTERVAL 2 HOUR) AS h CROSS JOIN run AS r
WHERE h.local_date < r.today AND h.known_h > 0 AND h.heard_h >= 0.5 * h.day_h
ORDER BY subject_id, period_start
