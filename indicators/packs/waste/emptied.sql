/*
id = "waste.emptied"
kind = "detector"
version = 1
grain = "container"
event = true
reads = ["emptyings", "waste_container", "assignments", "things", "run"]
references = ["Rule of the view emptyings: the container says so, or its fill falls by ten points and two fifths"]
cadence = "hour"
memory_days = 10

[title]
en = "Container emptied"
sl = "Zabojnik izpraznjen"

[meaning]
en = "An event of the last week, no fault: a container was emptied, as its own readings show. It says so, or its fill falls by at least ten points and two fifths of what it was, and the next reading agrees; one that does not takes the event back. Counted in the list of the morning, told to nobody at once."
sl = "Dogodek zadnjega tedna, ne napaka: zabojnik je bil izpraznjen, kot kažejo njegovi odčitki. Sam to sporoči ali pa napolnjenost pade za vsaj deset točk in dve petini prejšnje, kar potrdi naslednji odčitek; če ga ne, je dogodek umaknjen. V jutranjem poročilu je preštet, posebej se ne pošilja."

[says.what]
en = "Container emptied"
sl = "Zabojnik izpraznjen"

[says.why]
en = "From {fill_before:.0f} % to {fill_after:.0f} %."
sl = "Prej {fill_before:.0f} %, potem {fill_after:.0f} %."

[[example]]
title = "Emptied at eleven; a single low reading in the evening is none, nor is the settling of waste in the other"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = "SELECT 'b' || i AS thing_id, 'waste_container' AS family, 'east' AS area_id, '{}' AS attributes FROM range(2) AS r (i)"
assignments = "SELECT 'd' || i AS device_id, 'b' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
waste_container = """
SELECT 'd' || i AS device_id, t AS observed_at,
    CASE WHEN i = 1 THEN CASE WHEN hour(t) < 11 THEN 60.0 ELSE 50.0 END WHEN hour(t) = 18 THEN 1.0 WHEN hour(t) < 11 THEN 80.0 ELSE 4.0 + hour(t) END AS fill_pct
FROM range(TIMESTAMPTZ '2026-03-02 00:00:00Z', TIMESTAMPTZ '2026-03-02 23:00:00Z', INTERVAL 1 HOUR) AS r (t), range(2) AS b (i)"""
[[example.expect]]
thing_id = "b0"
since = 2026-03-02T11:00:00Z
until = 2026-03-02T11:00:00Z
severity = "info"
going_on = false

[[example]]
title = "It says itself that it was emptied; the device was exchanged between a full and an empty reading, which is none"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = [{ thing_id = "b", family = "waste_container", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "old", thing_id = "b", valid_from = "2026-01-01T00:00:00Z", valid_to = "2026-03-02T08:30:00Z" }, { device_id = "new", thing_id = "b", valid_from = "2026-03-02T08:30:00Z" }]
waste_container = [{ device_id = "old", observed_at = "2026-03-02T08:00:00Z", fill_pct = 90.0 }, { device_id = "new", observed_at = "2026-03-02T09:00:00Z", fill_pct = 12.0 }, { device_id = "new", observed_at = "2026-03-02T15:00:00Z", fill_pct = 10.0, emptied_event = true }]
[[example.expect]]
thing_id = "b"
since = 2026-03-02T15:00:00Z
*/
SELECT e.thing_id, e.device_id, t.area_id, e.emptied_at AS since, e.emptied_at AS until, 'info' AS severity,
    CAST(NULL AS DOUBLE) AS litres_per_hour, CAST(NULL AS DOUBLE) AS volume_m3, CAST(NULL AS DOUBLE) AS eur,
    CASE WHEN e.told THEN 0.99 ELSE 0.9 END AS confidence,
    {'fill_before': round(e.fill_before, 1), 'fill_after': round(e.fill_after, 1), 'says_so': e.told} AS evidence, false AS going_on
FROM emptyings AS e
JOIN things AS t ON t.thing_id = e.thing_id
CROSS JOIN run AS r
WHERE e.emptied_at > r.as_of - INTERVAL 7 DAY
