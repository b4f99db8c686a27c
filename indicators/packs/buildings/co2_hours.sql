/*
id = "buildings.co2_hours"
kind = "indicator"
version = 1
unit = "h"
grain = "room, local day"
personal = true
reads = ["indoor_climate", "assignments", "held_days", "local_days", "municipality", "run", "things"]
references = ["1000 ppm as the limit of good air in rooms: a convention, unverified; the attribute sets the building's own", "Half of the day heard: a convention, unverified"]
cadence = "night"
own = true

[title]
en = "Hours with too much CO2"
sl = "Ure s preveč CO2"

[meaning]
en = "Hours of a local day in which a room had more CO2 than its limit: attribute co2_limit_ppm, or else 1000 ppm. A reading holds until the next one, an hour at most. The denominator is the counted time; below half of the day heard there is no value."
sl = "Ure krajevnega dneva, v katerih je imel prostor več CO2 od svoje meje: atribut co2_limit_ppm, sicer 1000 ppm. Odčitek velja do naslednjega, največ eno uro. Imenovalec je upoštevani čas; če je slišane manj kot polovica dneva, vrednosti ni."

[[example]]
title = "On the day of 23 hours; a sensor that was heard for an hour alone has no value"
as_of = 2026-03-30T12:00:00Z
[example.given]
things = """SELECT 'x' || i AS thing_id, 'indoor_climate' AS family, '{}' AS attributes FROM range(2) AS r (i)"""
assignments = "SELECT 'd' || i AS device_id, 'x' || i AS thing_id, TIMESTAMPTZ '2024-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
indoor_climate = """
SELECT 'd' || i AS device_id, t AS observed_at, CASE WHEN hour(t) BETWEEN 7 AND 9 THEN 1400.0 WHEN hour(t) = 10 THEN 1000.0 ELSE 500.0 END AS co2_ppm
FROM range(TIMESTAMPTZ '2026-03-28 23:00:00Z', TIMESTAMPTZ '2026-03-29 22:00:00Z', INTERVAL 15 MINUTE) AS r (t), range(2) AS d (i)
WHERE i = 0 OR hour(t) = 5"""
[[example.expect]]
subject_kind = "thing"
subject_id = "x0"
period_start = 2026-03-29
value = 3.0
denominator = 23.0
coverage = 1.0
*/
WITH reading AS (
    SELECT a.thing_id, w.observed_at,
        CASE WHEN w.co2_ppm > coalesce(try_cast(json_extract_string(t.attributes, '$.co2_limit_ppm') AS DOUBLE), 1000) THEN 1.0 ELSE 0.0 END AS amount
    FROM indoor_climate AS w
    JOIN assignments AS a ON a.device_id = w.device_id AND w.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR w.observed_at < a.valid_to)
    JOIN things AS t ON t.thing_id = a.thing_id
    WHERE w.co2_ppm IS NOT NULL AND w.quality NOT IN (4, 9)
)
SELECT 'thing' AS subject_kind, h.thing_id AS subject_id, h.local_date AS period_start, h.local_date + 1 AS period_end,
    h.amount_h AS value, h.amount_h AS numerator, h.known_h AS denominator, h.heard_h / h.day_h AS coverage, 1 AS devices, 0.0 AS estimated_share
FROM held_days('reading', INTERVAL 1 HOUR) AS h CROSS JOIN run AS r
WHERE h.local_date < r.today AND h.known_h > 0 AND h.heard_h >= 0.5 * h.day_h
ORDER BY subject_id, period_start
