/*
id = "environment.level_high"
kind = "detector"
version = 1
grain = "river or stream gauge"
reads = ["river_level", "assignments", "things", "run"]
references = ["The gauge's own warning levels, attributes warning_m and alarm_m of its thing; without them a rise of 0.5 m in three hours"]
cadence = "commit"
memory_days = 2

[title]
en = "River or stream high"
sl = "Visok vodostaj"

[meaning]
en = "The water level of a gauge is at or above its warning level (attribute warning_m of the thing; alarm_m makes it critical), or it has risen by 0.5 m or more within three hours. It ends when the level has come 5 cm below the warning level, or no longer rises so fast. One reading alone does not count where the one after it is back. The last day is looked at."
sl = "Vodostaj na merilnem mestu je dosegel opozorilno raven (lastnost warning_m kraja; alarm_m pomeni kritično) ali pa je v treh urah narasel za 0,5 m ali več. Konča se, ko pade 5 cm pod opozorilno raven oziroma ne narašča več tako hitro. En sam odčitek ne šteje, če se naslednji vrne. Upoštevan je zadnji dan."

[says.what]
en = "River or stream high"
sl = "Visok vodostaj"

[says.why]
en = "The level is {now_m:.2f} m, at most {peak_m:.2f} m (limit {limit_m:.2f} m); it rose by at most {rise_m:.2f} m in three hours."
sl = "Vodostaj je {now_m:.2f} m, najvišji {peak_m:.2f} m (meja {limit_m:.2f} m); v treh urah je narasel za največ {rise_m:.2f} m."

[says.chart]
en = "water level, m"
sl = "vodostaj, m"

[[example]]
title = "A stream passes its warning level, and a single wrong echo the day before is no flood"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = [{ thing_id = "bridge", family = "river_level", area_id = "east", attributes = '{"warning_m": 2.0, "alarm_m": 3.0}' }]
assignments = [{ device_id = "g", thing_id = "bridge", valid_from = "2026-01-01T00:00:00Z" }]
river_level = """
SELECT 'g' AS device_id, t AS observed_at,
    CASE WHEN t = TIMESTAMPTZ '2026-03-02 20:00:00Z' THEN 9.0 ELSE 0.8 + greatest(0, epoch(t) - epoch(TIMESTAMPTZ '2026-03-03 06:00:00Z')) / 3600 * 0.25 END AS level_m
FROM range(TIMESTAMPTZ '2026-03-02 00:00:00Z', TIMESTAMPTZ '2026-03-03 12:00:00Z', INTERVAL 15 MINUTE) AS r (t)"""
[[example.expect]]
thing_id = "bridge"
since = 2026-03-03T08:00:00Z
severity = "warning"
going_on = true

[[example]]
title = "A steep rise where nobody has said a level"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = [{ thing_id = "bridge", family = "river_level", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "g", thing_id = "bridge", valid_from = "2026-01-01T00:00:00Z" }]
river_level = """
SELECT 'g' AS device_id, t AS observed_at, 0.8 + greatest(0, epoch(t) - epoch(TIMESTAMPTZ '2026-03-03 10:00:00Z')) / 3600 * 0.5 AS level_m
FROM range(TIMESTAMPTZ '2026-03-02 00:00:00Z', TIMESTAMPTZ '2026-03-03 12:00:00Z', INTERVAL 15 MINUTE) AS r (t)"""
[[example.expect]]
thing_id = "bridge"
since = 2026-03-03T11:00:00Z
severity = "warning"
going_on = true
*/
WITH reading AS (
    SELECT a.thing_id, g.device_id, t.area_id, g.observed_at, g.level_m,
        TRY_CAST(json_extract_string(t.attributes, '$.warning_m') AS DOUBLE) AS warning_m,
        TRY_CAST(json_extract_string(t.attributes, '$.alarm_m') AS DOUBLE) AS alarm_m
    FROM river_level AS g
    JOIN assignments AS a ON a.device_id = g.device_id AND g.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR g.observed_at < a.valid_to)
    JOIN things AS t ON t.thing_id = a.thing_id
    CROSS JOIN run AS r
    WHERE g.level_m IS NOT NULL AND g.quality NOT IN (4, 9) AND g.observed_at > r.as_of - INTERVAL 27 HOUR
),
near AS (
    SELECT *, lag(level_m) OVER w AS before_m, lead(level_m) OVER w AS after_m
    FROM reading
    WINDOW w AS (PARTITION BY thing_id ORDER BY observed_at, device_id)
),
sound AS (  -- a single echo that leaps away and comes back is none
    SELECT * FROM near
    WHERE NOT coalesce(abs(level_m - before_m) > 0.5 AND abs(level_m - after_m) > 0.5 AND abs(before_m - after_m) < 0.25, false)
),
risen AS (
    SELECT *, level_m - min(level_m) OVER (PARTITION BY thing_id ORDER BY observed_at RANGE INTERVAL 3 HOUR PRECEDING) AS rise_m
    FROM sound
),
judged AS (
    SELECT *, coalesce(last_value(CASE WHEN level_m >= warning_m OR rise_m >= 0.5 THEN true
        WHEN coalesce(level_m < warning_m - 0.05, true) AND rise_m < 0.3 THEN false END IGNORE NULLS)
        OVER (PARTITION BY thing_id ORDER BY observed_at, device_id ROWS UNBOUNDED PRECEDING), false) AS past
    FROM risen
),
island AS (
    SELECT *, count(*) FILTER (WHERE NOT past) OVER (PARTITION BY thing_id ORDER BY observed_at, device_id) AS number,
        lead(observed_at) OVER (PARTITION BY thing_id ORDER BY observed_at, device_id) AS next_at
    FROM judged
),
episode AS (
    SELECT thing_id, any_value(device_id) AS device_id, any_value(area_id) AS area_id, min(observed_at) AS since,
        CASE WHEN count(next_at) = count(*) THEN max(next_at) END AS until, max(observed_at) AS seen,
        any_value(warning_m) AS warning_m, any_value(alarm_m) AS alarm_m, arg_max(level_m, observed_at) AS now_m,
        max(level_m) AS peak_m, max(rise_m) AS rise_m
    FROM island WHERE past
    GROUP BY thing_id, number
),
chart AS (
    SELECT e.thing_id, e.since, list(round(s.level_m, 2) ORDER BY s.observed_at)[-48:] AS chart
    FROM episode AS e JOIN sound AS s ON s.thing_id = e.thing_id AND s.observed_at <= e.seen
    GROUP BY e.thing_id, e.since
)
SELECT e.thing_id, e.device_id, e.area_id, e.since, e.until,
    CASE WHEN e.peak_m >= e.alarm_m OR e.rise_m >= 1.5 THEN 'critical' ELSE 'warning' END AS severity,
    CAST(NULL AS DOUBLE) AS litres_per_hour, CAST(NULL AS DOUBLE) AS volume_m3, CAST(NULL AS DOUBLE) AS eur, 0.9 AS confidence,
    {
        'now_m': round(e.now_m, 3), 'peak_m': round(e.peak_m, 3), 'rise_m': round(e.rise_m, 3),
        'limit_m': coalesce(e.warning_m, round(e.peak_m - e.rise_m + 0.5, 3)), 'chart': c.chart
    } AS evidence,
    e.until IS NULL AS going_on
FROM episode AS e
JOIN chart AS c ON c.thing_id = e.thing_id AND c.since = e.since
