/*
id = "environment.overflow_spill"
kind = "detector"
version = 1
grain = "overflow of a sewer or a shaft"
reads = ["river_level", "water_shaft", "assignments", "things", "run"]
references = ["A weir spills where the level stands above its crest: attribute crest_m of the thing; a shaft's own contact `flooded` says it as well"]
cadence = "commit"
memory_days = 2

[title]
en = "Sewer overflow spills"
sl = "Preliv kanalizacije deluje"

[meaning]
en = "The level at an overflow stands above its crest (attribute crest_m of the thing, 2 cm below it ends), or the shaft reports that it is flooded. Two readings in a row are needed. The last day is looked at."
sl = "Gladina na prelivu je nad krono (lastnost crest_m kraja; konča se 2 cm pod njo) ali pa jašek sporoča, da je poplavljen. Potrebna sta dva zaporedna odčitka. Upoštevan je zadnji dan."

[says.what]
en = "Sewer overflow spills"
sl = "Preliv kanalizacije deluje"

[says.why]
en = "Spilling for {minutes:.0f} min (readings: {readings}); the level stands at most {head_cm:.0f} cm above the crest."
sl = "Preliva že {minutes:.0f} min (odčitkov: {readings}); gladina je največ {head_cm:.0f} cm nad prelivnim robom."

[says.chart]
en = "level, m"
sl = "gladina, m"

[[example]]
title = "Half an hour of a storm above the crest; one wave alone is no spill"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = [{ thing_id = "weir", family = "water_shaft", area_id = "east", attributes = '{"crest_m": 1.2}' }]
assignments = [{ device_id = "s", thing_id = "weir", valid_from = "2026-01-01T00:00:00Z" }]
water_shaft = """
SELECT 's' AS device_id, t AS observed_at, CASE WHEN t BETWEEN TIMESTAMPTZ '2026-03-03 07:00:00Z' AND TIMESTAMPTZ '2026-03-03 07:30:00Z' THEN 1.35
    WHEN t = TIMESTAMPTZ '2026-03-03 10:00:00Z' THEN 1.3 ELSE 0.4 END AS level_m
FROM range(TIMESTAMPTZ '2026-03-02 18:00:00Z', TIMESTAMPTZ '2026-03-03 12:00:00Z', INTERVAL 10 MINUTE) AS r (t)"""
[[example.expect]]
thing_id = "weir"
since = 2026-03-03T07:00:00Z
until = 2026-03-03T07:40:00Z
severity = "critical"
going_on = false
*/
WITH level AS (
    SELECT device_id, observed_at, level_m, CAST(NULL AS BOOLEAN) AS flooded, quality FROM river_level
    UNION ALL
    SELECT device_id, observed_at, level_m, flooded, quality FROM water_shaft
),
reading AS (
    SELECT a.thing_id, l.device_id, t.area_id, l.observed_at, l.level_m,
        l.level_m - TRY_CAST(json_extract_string(t.attributes, '$.crest_m') AS DOUBLE) AS head_m, l.flooded
    FROM level AS l
    JOIN assignments AS a ON a.device_id = l.device_id AND l.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR l.observed_at < a.valid_to)
    JOIN things AS t ON t.thing_id = a.thing_id
    CROSS JOIN run AS r
    WHERE l.quality NOT IN (4, 9) AND l.observed_at > r.as_of - INTERVAL 24 HOUR
        AND (l.flooded IS NOT NULL OR l.level_m IS NOT NULL AND json_exists(t.attributes, '$.crest_m'))
),
judged AS (
    SELECT *, coalesce(last_value(CASE WHEN flooded OR head_m > 0 THEN true WHEN flooded IS NOT NULL OR head_m <= -0.02 THEN false END IGNORE NULLS)
        OVER (PARTITION BY thing_id ORDER BY observed_at, device_id ROWS UNBOUNDED PRECEDING), false) AS past
    FROM reading
),
island AS (
    SELECT *, count(*) FILTER (WHERE NOT past) OVER w AS number, lead(observed_at) OVER w AS next_at
    FROM judged
    WINDOW w AS (PARTITION BY thing_id ORDER BY observed_at, device_id)
),
episode AS (
    SELECT thing_id, any_value(device_id) AS device_id, any_value(area_id) AS area_id, min(observed_at) AS since, max(observed_at) AS seen,
        CASE WHEN count(next_at) = count(*) THEN max(next_at) END AS until, count(*) AS readings, max(head_m) AS head_m
    FROM island WHERE past
    GROUP BY thing_id, number
    HAVING count(*) >= 2
),
chart AS (
    SELECT e.thing_id, e.since, list(round(i.level_m, 2) ORDER BY i.observed_at) FILTER (WHERE i.level_m IS NOT NULL)[-48:] AS chart
    FROM episode AS e JOIN island AS i ON i.thing_id = e.thing_id AND i.observed_at <= coalesce(e.until, e.seen)
    GROUP BY e.thing_id, e.since
)
SELECT e.thing_id, e.device_id, e.area_id, e.since, e.until, 'critical' AS severity,
    CAST(NULL AS DOUBLE) AS litres_per_hour, CAST(NULL AS DOUBLE) AS volume_m3, CAST(NULL AS DOUBLE) AS eur, 0.95 AS confidence,
    {
        'minutes': round((epoch(coalesce(e.until, e.seen)) - epoch(e.since)) / 60, 0), 'readings': e.readings,
        'head_cm': round(coalesce(greatest(e.head_m, 0), 0) * 100, 0), 'chart': c.chart
    } AS evidence,
    e.until IS NULL AS going_on
FROM episode AS e
JOIN chart AS c ON c.thing_id = e.thing_id AND c.since = e.since
