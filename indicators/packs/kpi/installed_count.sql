/*
id = "kpi.installed_count"
kind = "indicator"
version = 1
unit = "1"
grain = "register, local day"
reads = ["heard", "run", "things", "devices", "assignments", "register_luminaires", "register_cabinets", "known_days"]
cadence = "night"
reach = { before = 8, after = 0 }

[title]
en = "Number installed"
sl = "Število nameščenih"

[meaning]
en = "How many things of a sort have a device at the end of a local day; a luminaire counts also where its cabinet is under remote control."
sl = "Koliko objektov te vrste ima ob koncu krajevnega dneva nameščeno napravo; svetilka šteje tudi, kadar je njeno prižigališče daljinsko upravljano."

[[example]]
title = "Two air sensors and a weather station, one of them heard"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = "SELECT 's' || i AS thing_id, CASE i WHEN 2 THEN 'weather' ELSE 'air_quality' END AS family, '{}' AS attributes FROM range(3) AS r (i)"
devices = "SELECT 'd' || i AS device_id, CASE i WHEN 2 THEN 'weather' ELSE 'air_quality' END AS family FROM range(3) AS r (i)"
assignments = "SELECT 'd' || i AS device_id, 's' || i AS thing_id, TIMESTAMPTZ '2026-01-02 00:00:00Z' AS valid_from FROM range(3) AS r (i)"
air_quality = [{ device_id = "d0", observed_at = "2026-03-02T12:00:00Z", pm10_ugm3 = 20.0 }]
[[example.expect]]
subject_id = "air_sites"
value = 2.0
[[example.expect]]
subject_id = "climate"
period_start = 2026-03-02
value = 3.0
denominator = 1.0
devices = 3
*/
WITH found AS (
    SELECT h.local_date, c.register, h.thing_id, h.device_id
    FROM hung_days('known_days') AS h JOIN counted AS c ON c.thing_id = h.thing_id AND c.family = h.family
    UNION ALL
    SELECT d.local_date, 'luminaires', l.luminaire_id, NULL
    FROM known_days AS d
    JOIN register_luminaires AS l ON l.valid_from < d.ends_at AND (l.valid_to IS NULL OR l.valid_to >= d.ends_at)
    JOIN register_cabinets AS b ON b.cabinet_id = l.cabinet_id AND b.remote
        AND b.valid_from < d.ends_at AND (b.valid_to IS NULL OR b.valid_to >= d.ends_at)
)
SELECT 'register' AS subject_kind, register AS subject_id, local_date AS period_start, local_date + 1 AS period_end,
    count(DISTINCT thing_id) AS value, count(DISTINCT thing_id) AS numerator, 1 AS denominator,
    1.0 AS coverage, count(DISTINCT device_id) AS devices, 0.0 AS estimated_share
FROM found
GROUP BY register, local_date
ORDER BY subject_id, period_start
