/*
id = "roads.ice_hours"
kind = "indicator"
version = 1
unit = "h"
grain = "station, local day"
reads = ["road_weather", "assignments", "held_days", "local_days", "municipality", "run"]
references = ["Ice where the surface is at 0 °C or below and wet, or at the dew point: the usual rule of road weather services, unverified", "Half of the day heard: a convention, unverified"]
cadence = "night"
own = true

[title]
en = "Hours with ice or hoarfrost on the road"
sl = "Ure z ledom ali slano na cestišču"

[meaning]
en = "Hours of a local day in which a station saw ice, or in which the surface was at 0 °C or below and wet or not warmer than the dew point. Salt is not taken into account: a salted road may have been safe. A reading holds until the next one, an hour at most. The denominator is the counted time; below half of the day heard there is no value."
sl = "Ure krajevnega dneva, v katerih je postaja zaznala led ali pa je bilo vozišče pri 0 °C ali manj in mokro oziroma ne toplejše od rosišča. Sol ni upoštevana: posuta cesta je bila lahko varna. Odčitek velja do naslednjega, največ eno uro. Imenovalec je upoštevani čas; če je slišane manj kot polovica dneva, vrednosti ni."

[[example]]
title = "Three hours of hoarfrost and one of frozen water; cold and dry is no ice"
as_of = 2026-03-30T12:00:00Z
[example.given]
things = """SELECT 'x' || i AS thing_id, 'road_weather' AS family, '{}' AS attributes FROM range(2) AS r (i)"""
assignments = "SELECT 'd' || i AS device_id, 'x' || i AS thing_id, TIMESTAMPTZ '2024-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
road_weather = """
SELECT 'd' || i AS device_id, t AS observed_at, CASE WHEN hour(t) < 6 THEN -1.0 ELSE 2.0 END AS surface_temp_cel, CASE WHEN hour(t) < 3 THEN 0.0 ELSE -2.0 END AS dew_point_cel, CASE WHEN hour(t) = 4 THEN 0.1 ELSE 0.0 END AS water_film_mm
FROM range(TIMESTAMPTZ '2026-03-28 23:00:00Z', TIMESTAMPTZ '2026-03-29 22:00:00Z', INTERVAL 15 MINUTE) AS r (t), range(2) AS d (i)
WHERE i = 0 OR hour(t) = 5"""
[[example.expect]]
subject_kind = "thing"
subject_id = "x0"
period_start = 2026-03-29
value = 4.0
denominator = 23.0
*/
WITH reading AS (
    SELECT a.thing_id, w.observed_at,
        CASE WHEN w.ice_pct > 0 OR w.surface_temp_cel <= 0 AND (w.water_film_mm > 0 OR w.surface_temp_cel <= w.dew_point_cel) THEN 1.0 ELSE 0.0 END AS amount
    FROM road_weather AS w
    JOIN assignments AS a ON a.device_id = w.device_id AND w.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR w.observed_at < a.valid_to)
    WHERE (w.ice_pct IS NOT NULL OR w.surface_temp_cel IS NOT NULL AND (w.water_film_mm IS NOT NULL OR w.dew_point_cel IS NOT NULL)) AND w.quality NOT IN (4, 9)
)
SELECT 'thing' AS subject_kind, h.thing_id AS subject_id, h.local_date AS period_start, h.local_date + 1 AS period_end,
    h.amount_h AS value, h.amount_h AS numerator, h.known_h AS denominator, h.heard_h / h.day_h AS coverage, 1 AS devices, 0.0 AS estimated_share
FROM held_days('reading', INTERVAL 1 HOUR) AS h CROSS JOIN run AS r
WHERE h.local_date < r.today AND h.known_h > 0 AND h.heard_h >= 0.5 * h.day_h
ORDER BY subject_id, period_start
