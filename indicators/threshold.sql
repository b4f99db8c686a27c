/* One threshold of drava.toml; indicators/thresholds.py fills in the names that begin with a dollar sign. */
WITH RECURSIVE within AS (
    SELECT area_id AS top, area_id FROM (SELECT area_id FROM areas UNION SELECT area_id FROM things)
    UNION SELECT w.top, a.area_id FROM within AS w JOIN areas AS a ON a.parent_id = w.area_id
),
reading AS (
    SELECT a.thing_id, s.device_id, t.area_id, s.observed_at, CAST(s.$measure AS DOUBLE) AS value, $series AS series
    FROM $family AS s
    JOIN assignments AS a ON a.device_id = s.device_id AND s.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR s.observed_at < a.valid_to)
    JOIN things AS t ON t.thing_id = a.thing_id
    CROSS JOIN run AS r
    WHERE s.quality NOT IN (4, 9) AND s.$measure IS NOT NULL AND s.observed_at > r.as_of - INTERVAL $days DAY AND $places
),
judged AS (
    SELECT *, coalesce(last_value(CASE WHEN $on THEN true WHEN $off THEN false END IGNORE NULLS) OVER w, false) AS past
    FROM reading
    WINDOW w AS (PARTITION BY thing_id, series ORDER BY observed_at, device_id ROWS UNBOUNDED PRECEDING)
),
island AS (
    SELECT *, count(*) FILTER (WHERE NOT past) OVER w AS number, lead(observed_at) OVER w_all AS next_at
    FROM judged
    WINDOW w AS (PARTITION BY thing_id, series ORDER BY observed_at, device_id ROWS UNBOUNDED PRECEDING),
        w_all AS (PARTITION BY thing_id, series ORDER BY observed_at, device_id)
),
episode AS (
    SELECT thing_id, series, any_value(device_id) AS device_id, any_value(area_id) AS area_id, min(observed_at) AS since,
        max(observed_at) AS seen, CASE WHEN count(next_at) = count(*) THEN max(next_at) END AS until, count(*) AS readings,
        arg_min(value, observed_at) AS first_value, arg_max(value, observed_at) AS now, max(value) AS highest, min(value) AS lowest
    FROM island WHERE past
    GROUP BY thing_id, series, number
    HAVING epoch(max(observed_at)) - epoch(min(observed_at)) >= $seconds
),
chart AS (
    SELECT e.thing_id, e.series, e.since, list(round(i.value, 3) ORDER BY i.observed_at)[-40:] AS chart
    FROM episode AS e JOIN island AS i ON i.thing_id = e.thing_id AND i.series = e.series
        AND i.observed_at BETWEEN e.since - INTERVAL 1 DAY AND e.seen + INTERVAL 1 DAY
    GROUP BY ALL
)
SELECT e.thing_id, e.device_id, e.area_id, e.since, e.until, $severity AS severity, CAST(NULL AS DOUBLE) AS litres_per_hour,
    CAST(NULL AS DOUBLE) AS volume_m3, CAST(NULL AS DOUBLE) AS eur, 1.0 AS confidence,
    {
        'now': e.now, 'limit': CAST(CASE WHEN $upward THEN $over ELSE $under END AS DOUBLE),
        'peak': CASE WHEN $upward THEN e.highest ELSE e.lowest END, 'readings': e.readings,
        'minutes': round((epoch(e.seen) - epoch(e.since)) / 60, 0), 'series': e.series, $names, 'chart': c.chart
    } AS evidence,
    e.until IS NULL AS going_on
FROM episode AS e JOIN chart AS c ON c.thing_id = e.thing_id AND c.series = e.series AND c.since = e.since
