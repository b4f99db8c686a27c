/*
id = "platform.sensor_implausible"
kind = "detector"
version = 1
grain = "device"
reads = ["heard", "assignments", "things", "run"]
references = ["QARTOD gross range test: what a measure cannot be, or what the registry says that this device cannot show"]
cadence = "hour"
memory_days = 35
explains = ["platform.sensor_failure", "platform.sensor_drift"]

[title]
en = "Device shows what cannot be"
sl = "Naprava kaže nemogoče"

[meaning]
en = "Half of the last eight readings of a device are outside of what the measure, or this device by its registration, can show: one alarm for all of them, until twelve readings in a row are possible again. A glitch of three readings is none. The readings themselves are marked as failed and count nowhere."
sl = "Polovica zadnjih osmih odčitkov naprave je izven tega, kar količina oziroma ta naprava po registru lahko pokaže: en alarm za vse, dokler ni dvanajst zaporednih odčitkov spet mogočih. Motnja treh odčitkov ne šteje. Odčitki sami so označeni kot neveljavni in se nikjer ne upoštevajo."

[says.what]
en = "Device shows what cannot be"
sl = "Naprava kaže nemogoče"

[says.why]
en = "Readings outside of what can be: {readings} of {of} in {hours:.1f} h."
sl = "Odčitki izven mogočega: {readings} od {of} v {hours:.1f} h."

[[example]]
title = "A thermometer shows -127 from noon on; another one had a glitch of three readings"
as_of = 2026-03-04T18:00:00Z
[example.given]
things = "SELECT 'p' || i AS thing_id, 'weather' AS family, 'east' AS area_id, '{}' AS attributes FROM range(2) AS r (i)"
assignments = "SELECT 'd' || i AS device_id, 'p' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
weather = """
SELECT 'd' || i AS device_id, t AS observed_at, CASE WHEN bad THEN -127 ELSE 8 END AS air_temp_cel, CASE WHEN bad THEN 4 ELSE 1 END AS quality,
    CASE WHEN bad THEN 8 ELSE 0 END AS quality_tests
FROM (SELECT t, i, t >= TIMESTAMPTZ '2026-03-04 12:00:00Z' AND (i = 0 OR t < TIMESTAMPTZ '2026-03-04 12:45:00Z') AS bad
    FROM range(TIMESTAMPTZ '2026-03-03 00:00:00Z', TIMESTAMPTZ '2026-03-04 18:00:00Z', INTERVAL 15 MINUTE) AS r (t), range(2) AS v (i))"""
[[example.expect]]
device_id = "d0"
thing_id = "p0"
area_id = "east"
since = 2026-03-04T12:00:00Z
going_on = true

[[example]]
title = "It came back two hours ago: the alarm has its end, at the last impossible reading"
as_of = 2026-03-04T18:00:00Z
[example.given]
things = [{ thing_id = "p0", family = "weather", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "d0", thing_id = "p0", valid_from = "2026-01-01T00:00:00Z" }]
weather = """
SELECT 'd0' AS device_id, t AS observed_at, CASE WHEN bad THEN 8 ELSE 0 END AS quality_tests
FROM (SELECT t, t BETWEEN TIMESTAMPTZ '2026-03-04 09:00:00Z' AND TIMESTAMPTZ '2026-03-04 12:00:00Z' AND minute(t) <> 30 AS bad
    FROM range(TIMESTAMPTZ '2026-03-03 00:00:00Z', TIMESTAMPTZ '2026-03-04 18:00:00Z', INTERVAL 15 MINUTE) AS r (t))"""
[[example.expect]]
device_id = "d0"
since = 2026-03-04T09:00:00Z
until = 2026-03-04T12:00:00Z
going_on = false
*/
WITH odd AS (
    SELECT DISTINCT family, device_id FROM heard WHERE quality_tests & 8 <> 0
),
reading AS (
    SELECT h.family, h.device_id, h.observed_at, h.quality_tests & 8 <> 0 AS bad, row_number() OVER w AS number, count(*) OVER d AS last
    FROM heard AS h SEMI JOIN odd AS o ON o.family = h.family AND o.device_id = h.device_id
    WINDOW d AS (PARTITION BY h.family, h.device_id), w AS (d ORDER BY h.observed_at)
),
lately AS (
    SELECT *, count(*) FILTER (bad) OVER w AS bad_lately, min(observed_at) FILTER (bad) OVER w AS bad_since
    FROM reading
    WINDOW w AS (PARTITION BY family, device_id ORDER BY number ROWS BETWEEN 7 PRECEDING AND CURRENT ROW)
),
hit AS (
    SELECT *, number - lag(number, 1, -99) OVER (PARTITION BY family, device_id ORDER BY number) > 12 AS anew
    FROM lately WHERE bad AND bad_lately >= 4
),
fault AS (
    SELECT family, device_id, fault, min(bad_since) AS since, max(observed_at) AS until, max(last) - max(number) < 12 AS going_on
    FROM (SELECT *, count(*) FILTER (anew) OVER (PARTITION BY family, device_id ORDER BY number) AS fault FROM hit)
    GROUP BY family, device_id, fault
),
counted AS (
    SELECT f.*, count(*) FILTER (r.bad) AS readings, count(*) AS of
    FROM fault AS f
    JOIN reading AS r ON r.family = f.family AND r.device_id = f.device_id AND r.observed_at BETWEEN f.since AND f.until
    GROUP BY ALL
)
SELECT a.thing_id, f.device_id, t.area_id, f.since, CASE WHEN NOT f.going_on THEN f.until END AS until, 'warning' AS severity,
    CAST(NULL AS DOUBLE) AS litres_per_hour, CAST(NULL AS DOUBLE) AS volume_m3, CAST(NULL AS DOUBLE) AS eur, 0.95 AS confidence,
    {'family': f.family, 'readings': f.readings, 'of': f.of, 'hours': round((epoch(f.until) - epoch(f.since)) / 3600, 1)} AS evidence,
    f.going_on
FROM counted AS f
LEFT JOIN assignments AS a ON a.device_id = f.device_id AND a.valid_to IS NULL
LEFT JOIN things AS t ON t.thing_id = a.thing_id
