/*
id = "waste.bin_fire"
kind = "detector"
version = 1
grain = "container"
reads = ["waste_container", "assignments", "things", "run"]
references = ["Engineering rule: a rise of 10 to 15 degrees within ten minutes, or more than 60 to 70 degrees; no published measurement of it was found"]
cadence = "commit"
memory_days = 2

[title]
en = "Fire in a container"
sl = "Požar v zabojniku"

[meaning]
en = "The container reports a fire itself, is at 65 degrees or more, or has become at least 12 degrees warmer within ten minutes and is at 35 or more, so that a container that comes into the sun is none. The last day is looked at. It ends with the first reading that shows none of it and is below 50 degrees."
sl = "Zabojnik sam sporoči požar, ima vsaj 65 stopinj ali se je v desetih minutah segrel za vsaj 12 stopinj in jih ima vsaj 35, zato zabojnik, ki pride na sonce, ne gori. Upošteva se zadnji dan. Konča se s prvim odčitkom brez teh znakov pod 50 stopinjami."

[says.what]
en = "Fire in a container"
sl = "Požar v zabojniku"

[says.why]
en = "Highest {highest_cel:.0f} °C, before {before_cel:.0f} °C; steepest rise within ten minutes {rise_cel:.0f} °C."
sl = "Najvišja temperatura {highest_cel:.0f} °C, prej {before_cel:.0f} °C; največji porast v desetih minutah {rise_cel:.0f} °C."

[says.chart]
en = "temperature, reading by reading, °C"
sl = "temperatura po odčitkih, °C"

[[example]]
title = "Warmer by 30 degrees in five minutes; the other one stands in the sun"
as_of = 2026-07-03T12:00:00Z
[example.given]
things = "SELECT 'b' || i AS thing_id, 'waste_container' AS family, 'east' AS area_id, '{}' AS attributes FROM range(2) AS r (i)"
assignments = "SELECT 'd' || i AS device_id, 'b' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
waste_container = """
SELECT 'd' || i AS device_id, t AS observed_at, CASE WHEN i = 0 AND t >= TIMESTAMPTZ '2026-07-03 11:30:00Z' THEN 55.0 WHEN i = 1 THEN 25 + date_diff('minute', TIMESTAMPTZ '2026-07-03 06:00:00Z', t) / 12.0 ELSE 25.0 END AS temp_cel
FROM range(TIMESTAMPTZ '2026-07-03 06:00:00Z', TIMESTAMPTZ '2026-07-03 12:00:00Z', INTERVAL 5 MINUTE) AS r (t), range(2) AS b (i)"""
[[example.expect]]
thing_id = "b0"
since = 2026-07-03T11:30:00Z
severity = "critical"
going_on = true

[[example]]
title = "It says itself that it burns, and later that it does not"
as_of = 2026-07-03T12:00:00Z
[example.given]
things = [{ thing_id = "b", family = "waste_container", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "d", thing_id = "b", valid_from = "2026-01-01T00:00:00Z" }]
waste_container = [{ device_id = "d", observed_at = "2026-07-03T09:00:00Z", fire_alarm = true, temp_cel = 30.0 }, { device_id = "d", observed_at = "2026-07-03T10:00:00Z", fire_alarm = false, temp_cel = 29.0 }]
[[example.expect]]
thing_id = "b"
since = 2026-07-03T09:00:00Z
until = 2026-07-03T10:00:00Z
going_on = false
*/
WITH reading AS (
    SELECT a.thing_id, w.device_id, w.observed_at, w.temp_cel, coalesce(w.fire_alarm, false) AS says_so,
        w.temp_cel - min(w.temp_cel) OVER (PARTITION BY a.thing_id ORDER BY w.observed_at
            RANGE BETWEEN INTERVAL 10 MINUTE PRECEDING AND CURRENT ROW) AS rise
    FROM waste_container AS w
    JOIN assignments AS a ON a.device_id = w.device_id AND w.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR w.observed_at < a.valid_to)
    CROSS JOIN run AS r
    WHERE (w.temp_cel IS NOT NULL OR w.fire_alarm IS NOT NULL) AND w.quality NOT IN (4, 9)
        AND w.observed_at > r.as_of - INTERVAL 1 DAY
),
sign AS (
    SELECT *, says_so OR coalesce(temp_cel >= 65, false) OR coalesce(rise >= 12 AND temp_cel >= 35, false) AS burns FROM reading
),
state AS (
    SELECT *, coalesce(last_value(CASE WHEN burns THEN true WHEN coalesce(temp_cel < 50, true) AND coalesce(rise < 12, true) THEN false END IGNORE NULLS)
        OVER (PARTITION BY thing_id ORDER BY observed_at), false) AS on_fire
    FROM sign
),
island AS (
    SELECT *, count(*) FILTER (WHERE NOT on_fire) OVER (PARTITION BY thing_id ORDER BY observed_at) AS number,
        lag(temp_cel) OVER (PARTITION BY thing_id ORDER BY observed_at) AS before,
        lead(observed_at) OVER (PARTITION BY thing_id ORDER BY observed_at) AS next_at
    FROM state
),
episode AS (
    SELECT thing_id, any_value(device_id) AS device_id, min(observed_at) AS since,
        CASE WHEN count(next_at) = count(*) THEN max(next_at) END AS until, max(temp_cel) AS highest,
        arg_min(before, observed_at) AS before, max(rise) AS rise, bool_or(says_so) AS says_so
    FROM island WHERE on_fire
    GROUP BY thing_id, number
),
chart AS (
    SELECT thing_id, list(round(temp_cel, 1) ORDER BY observed_at)[-60:] AS chart
    FROM reading WHERE temp_cel IS NOT NULL GROUP BY thing_id
)
SELECT e.thing_id, e.device_id, t.area_id, e.since, e.until, 'critical' AS severity,
    CAST(NULL AS DOUBLE) AS litres_per_hour, CAST(NULL AS DOUBLE) AS volume_m3, CAST(NULL AS DOUBLE) AS eur,
    CASE WHEN e.says_so OR e.highest >= 65 THEN 0.95 ELSE 0.8 END AS confidence,
    {'highest_cel': e.highest, 'before_cel': e.before, 'rise_cel': e.rise, 'says_so': e.says_so, 'chart': c.chart} AS evidence,
    e.until IS NULL AS going_on
FROM episode AS e
JOIN things AS t ON t.thing_id = e.thing_id
LEFT JOIN chart AS c ON c.thing_id = e.thing_id
