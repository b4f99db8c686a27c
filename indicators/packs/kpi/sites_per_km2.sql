/*
id = "kpi.sites_per_km2"
kind = "indicator"
version = 1
unit = "1/km2"
grain = "register, local day"
reads = ["heard", "run", "things", "devices", "assignments", "areas", "known_days"]
cadence = "night"
reach = { before = 8, after = 0 }

[title]
en = "Measuring sites per km²"
sl = "Merilna mesta na km²"

[meaning]
en = "Measuring sites of outdoor air with a device per square kilometre of the municipality, whose size is that of the areas that lie in no other."
sl = "Merilna mesta zunanjega zraka z napravo na kvadratni kilometer občine; površina je vsota območij, ki ne ležijo v drugem."

[[example]]
title = "Two air sensors on 8 km²; the district inside does not add to the town"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = "SELECT 's' || i AS thing_id, CASE i WHEN 2 THEN 'weather' ELSE 'air_quality' END AS family, '{}' AS attributes FROM range(3) AS r (i)"
devices = "SELECT 'd' || i AS device_id, CASE i WHEN 2 THEN 'weather' ELSE 'air_quality' END AS family FROM range(3) AS r (i)"
assignments = "SELECT 'd' || i AS device_id, 's' || i AS thing_id, TIMESTAMPTZ '2026-01-02 00:00:00Z' AS valid_from FROM range(3) AS r (i)"
air_quality = [{ device_id = "d0", observed_at = "2026-03-02T12:00:00Z", pm10_ugm3 = 20.0 }]
areas = [{ area_id = "town", kind = "zone", area_km2 = 8.0 }, { area_id = "east", kind = "district", parent_id = "town", area_km2 = 3.0 }]
[[example.expect]]
subject_id = "air_sites"
period_start = 2026-03-02
value = 0.25
numerator = 2.0
denominator = 8.0
*/
WITH size AS (
    SELECT sum(area_km2) AS km2 FROM areas WHERE parent_id IS NULL
)
SELECT 'register' AS subject_kind, c.register AS subject_id, h.local_date AS period_start, h.local_date + 1 AS period_end,
    count(DISTINCT h.thing_id) / any_value(s.km2) AS value,
    count(DISTINCT h.thing_id) AS numerator, any_value(s.km2) AS denominator,
    1.0 AS coverage, count(DISTINCT h.device_id) AS devices, 0.0 AS estimated_share
FROM hung_days('known_days') AS h
JOIN counted AS c ON c.thing_id = h.thing_id AND c.family = h.family AND c.register = 'air_sites'
CROSS JOIN size AS s
WHERE s.km2 > 0
GROUP BY c.register, h.local_date
ORDER BY subject_id, period_start
