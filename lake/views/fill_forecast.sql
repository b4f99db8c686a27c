-- What is to be expected of each waste container at 20:00 of the next local day, as it was known in the evening of each day
-- (now, for today): its last reading and its own rate of the last seven days, emptyings left out; and the eight of ten around
-- it, from how far the same forecasts of the 28 days before were off (of all containers together while its own are fewer
-- than ten), where no emptying came between. low_pct and high_pct are null while fewer than ten are known at all.
CREATE OR REPLACE VIEW fill_forecast AS
WITH reading AS (
    SELECT a.thing_id, w.device_id, w.observed_at, w.fill_pct, lag(w.observed_at) OVER v AS before_at, lag(w.fill_pct) OVER v AS before
    FROM waste_container AS w
    JOIN assignments AS a ON a.device_id = w.device_id AND w.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR w.observed_at < a.valid_to)
    WHERE w.fill_pct IS NOT NULL AND w.quality NOT IN (4, 9)
    WINDOW v AS (PARTITION BY a.thing_id, w.device_id, a.valid_from ORDER BY w.observed_at)
),
daily AS (
    SELECT p.thing_id, local_date(p.observed_at) AS local_date, max(p.observed_at) AS last_at, arg_max(p.fill_pct, p.observed_at) AS fill_pct,
        max(e.emptied_at) AS emptied_at,
        arg_max(p.fill_pct, p.observed_at) FILTER (p.observed_at <= timezone(m.zone, local_date(p.observed_at) + INTERVAL 20 HOUR)) AS at_eight,
        coalesce(sum(CAST(p.fill_pct - p.before AS DECIMAL(18, 6))) FILTER (e.thing_id IS NULL AND p.observed_at - p.before_at <= INTERVAL 1 DAY), 0) AS rise,
        coalesce(sum(epoch_us(p.observed_at) - epoch_us(p.before_at)) FILTER (e.thing_id IS NULL AND p.observed_at - p.before_at <= INTERVAL 1 DAY), 0) AS micros
    FROM reading AS p CROSS JOIN municipality AS m
    LEFT JOIN emptyings AS e ON e.thing_id = p.thing_id AND e.emptied_at = p.observed_at
    GROUP BY p.thing_id, local_date(p.observed_at)
),
rate AS (
    SELECT l.local_date, d.thing_id, max(d.last_at) AS last_at, arg_max(d.fill_pct, d.last_at) AS fill_pct, sum(d.micros) AS micros,
        86400000000 * CAST(sum(d.rise) AS DOUBLE) / nullif(sum(d.micros), 0) AS points_a_day
    FROM (SELECT DISTINCT local_date FROM daily) AS l
    JOIN daily AS d ON d.local_date BETWEEN l.local_date - 6 AND l.local_date
    GROUP BY l.local_date, d.thing_id
),
expected AS (
    SELECT g.*, g.fill_pct + g.points_a_day * (epoch_us(timezone(m.zone, g.local_date + INTERVAL 44 HOUR)) - epoch_us(g.last_at))
        / 86400000000 AS then_pct
    FROM rate AS g CROSS JOIN municipality AS m
    WHERE g.points_a_day > 0 AND g.micros >= 3 * 86400000000 AND g.last_at >= timezone(m.zone, g.local_date - INTERVAL 1 DAY)
),
off AS (  -- what came the evening after, less what was expected
    SELECT x.thing_id, x.local_date, d.at_eight - least(x.then_pct, 100) AS points
    FROM expected AS x
    JOIN daily AS d ON d.thing_id = x.thing_id AND d.local_date = x.local_date + 1 AND d.at_eight IS NOT NULL
    WHERE NOT EXISTS (FROM emptyings AS e WHERE e.thing_id = x.thing_id AND e.emptied_at > x.last_at AND local_date(e.emptied_at) <= x.local_date + 1)
),
own AS (
    SELECT x.thing_id, x.local_date, count(*) AS known, quantile_cont(o.points, [0.1, 0.9]) AS bounds
    FROM expected AS x JOIN off AS o ON o.thing_id = x.thing_id AND o.local_date BETWEEN x.local_date - 29 AND x.local_date - 2
    GROUP BY x.thing_id, x.local_date
),
everybody AS (
    SELECT l.local_date, count(*) AS known, quantile_cont(o.points, [0.1, 0.9]) AS bounds
    FROM (SELECT DISTINCT local_date FROM expected) AS l JOIN off AS o ON o.local_date BETWEEN l.local_date - 29 AND l.local_date - 2
    GROUP BY l.local_date
)
SELECT x.thing_id, x.local_date, x.last_at, x.fill_pct, x.points_a_day, x.micros, x.then_pct,
    CASE WHEN b.bounds IS NOT NULL THEN greatest(least(x.then_pct, 100) + b.bounds[1], 0) END AS low_pct,
    CASE WHEN b.bounds IS NOT NULL THEN least(least(x.then_pct, 100) + b.bounds[2], 100) END AS high_pct
FROM expected AS x
LEFT JOIN own AS w ON w.thing_id = x.thing_id AND w.local_date = x.local_date AND w.known >= 10
LEFT JOIN everybody AS v ON v.local_date = x.local_date AND v.known >= 10
LEFT JOIN LATERAL (SELECT coalesce(w.bounds, v.bounds) AS bounds) AS b ON true;
