/*
id = "buildings.overheating_hours"
kind = "indicator"
version = 1
unit = "h"
grain = "room, local day"
personal = true
reads = ["indoor_climate", "assignments", "held_days", "local_days", "municipality", "run"]
references = ["25 °C and the heating season of 1 October to 30 April as the project's facts tell them", "Half of the day heard: a convention, unverified"]
cadence = "night"
own = true

[title]
en = "Overheated hours in the heating season"
sl = "Pregrete ure v ogrevalni sezoni"

[meaning]
en = "Hours of a local day between 1 October and 30 April in which a room was occupied and had 25 °C or more. Occupied is what the sensor of presence says, or else 7 to 17 o'clock on working days; a day on which nobody was there has no value. A reading holds until the next one, an hour at most. The denominator is the counted time; below half of the day heard there is no value."
sl = "Ure krajevnega dneva med 1. oktobrom in 30. aprilom, v katerih je bil prostor zaseden in je imel 25 °C ali več. Zasedenost pove senzor prisotnosti, sicer velja od 7. do 17. ure delovnih dni; dan brez prisotnih vrednosti nima. Odčitek velja do naslednjega, največ eno uro. Imenovalec je upoštevani čas; če je slišane manj kot polovica dneva, vrednosti ni."

[[example]]
title = "A working day from 7 to 17 o'clock: hours of the evening do not count, nor does the Sunday before"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = """SELECT 'x' || i AS thing_id, 'indoor_climate' AS family, '{}' AS attributes FROM range(2) AS r (i)"""
assignments = "SELECT 'd' || i AS device_id, 'x' || i AS thing_id, TIMESTAMPTZ '2024-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
indoor_climate = """
SELECT 'd' || i AS device_id, t AS observed_at, CASE WHEN hour(t) BETWEEN 12 AND 18 THEN 25.0 ELSE 21.0 END AS temp_cel
FROM range(TIMESTAMPTZ '2026-02-28 23:00:00Z', TIMESTAMPTZ '2026-03-02 23:00:00Z', INTERVAL 15 MINUTE) AS r (t), range(2) AS d (i)
WHERE i = 0 OR hour(t) = 5"""
[[example.expect]]
subject_kind = "thing"
subject_id = "x0"
period_start = 2026-03-02
value = 4.0
denominator = 10.0
coverage = 1.0

[[example]]
title = "In May nothing is heated"
as_of = 2026-05-05T12:00:00Z
[example.given]
things = """SELECT 'x' || i AS thing_id, 'indoor_climate' AS family, '{}' AS attributes FROM range(2) AS r (i)"""
assignments = "SELECT 'd' || i AS device_id, 'x' || i AS thing_id, TIMESTAMPTZ '2024-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
indoor_climate = """
SELECT 'd' || i AS device_id, t AS observed_at, 26.0 AS temp_cel, true AS presence
FROM range(TIMESTAMPTZ '2026-05-03 22:00:00Z', TIMESTAMPTZ '2026-05-04 22:00:00Z', INTERVAL 15 MINUTE) AS r (t), range(2) AS d (i)
WHERE i = 0 OR hour(t) = 5"""
*/
WITH reading AS (
    SELECT a.thing_id, w.observed_at,
        CASE WHEN coalesce(w.presence, l.working_day AND hour(timezone(m.zone, w.observed_at)) BETWEEN 7 AND 16)
            THEN CASE WHEN w.temp_cel >= 25 THEN 1.0 ELSE 0.0 END END AS amount
    FROM indoor_climate AS w
    JOIN assignments AS a ON a.device_id = w.device_id AND w.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR w.observed_at < a.valid_to)
    CROSS JOIN municipality AS m
    JOIN local_days AS l ON l.local_date = CAST(timezone(m.zone, w.observed_at) AS DATE)
    WHERE w.temp_cel IS NOT NULL AND month(l.local_date) NOT BETWEEN 5 AND 9 AND w.quality NOT IN (4, 9)
)
SELECT 'thing' AS subject_kind, h.thing_id AS subject_id, h.local_date AS period_start, h.local_date + 1 AS period_end,
    h.amount_h AS value, h.amount_h AS numerator, h.known_h AS denominator, h.heard_h / h.day_h AS coverage, 1 AS devices, 0.0 AS estimated_share
FROM held_days('reading', INTERVAL 1 HOUR) AS h CROSS JOIN run AS r
WHERE h.local_date < r.today AND h.known_h > 0 AND h.heard_h >= 0.5 * h.day_h
ORDER BY subject_id, period_start
