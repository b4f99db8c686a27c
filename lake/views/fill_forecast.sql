-- What is to be expected of each waste container at 20:00 of the next local day, as it was known in the evening of each day
-- (now, for today), and the eight of ten around it.
--
-- Its last reading and what it gains until then: by its own rate of the last seven days, and by its own course of the day in
-- the seven whole days before, because by night little is thrown away (days_ahead counts days of filling). Emptyings are left
-- out, and steps of a container that stood at 95 % already. One at 90 % or more stays so where nobody knows its rate.
-- The interval is how far the same forecasts of the 28 days before were off (of all containers together while its own are
-- fewer than ten), where no emptying came between; it grows with the root of the time ahead. low_pct and high_pct are null
-- while fewer than ten are known at all.
CREATE OR REPLACE MACRO eight_of_ten(sorted) AS  -- by the ranks of n + 1 among n, so that few do not make it too narrow; n from 9 on
    list_transform([0.1 * (len(sorted) + 1), 0.9 * (len(sorted) + 1)], lambda rank: sorted[CAST(floor(rank) AS BIGINT)]
        + (rank - floor(rank)) * (sorted[CAST(ceil(rank) AS BIGINT)] - sorted[CAST(floor(rank) AS BIGINT)]));

CREATE OR REPLACE VIEW fill_forecast AS
WITH reading AS (
    SELECT a.thing_id, w.device_id, w.observed_at, w.fill_pct, lag(w.observed_at) OVER v AS before_at, lag(w.fill_pct) OVER v AS before
    FROM waste_container AS w
    JOIN assignments AS a ON a.device_id = w.device_id AND w.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR w.observed_at < a.valid_to)
    WHERE w.fill_pct IS NOT NULL AND w.quality NOT IN (4, 9)
    WINDOW v AS (PARTITION BY a.thing_id, w.device_id, a.valid_from ORDER BY w.observed_at)
),
step AS (
    SELECT p.thing_id, p.observed_at, p.fill_pct, local_date(p.observed_at) AS local_date,
        hour(local_time(p.observed_at - INTERVAL 1 MICROSECOND)) AS hour,
        CASE WHEN e.thing_id IS NULL AND p.before < 95 AND p.observed_at - p.before_at <= INTERVAL 1 DAY
            THEN CAST(p.fill_pct - p.before AS DECIMAL(18, 6)) END AS rise,
        CASE WHEN rise IS NOT NULL THEN epoch_us(p.observed_at) - epoch_us(p.before_at) END AS micros
    FROM reading AS p LEFT JOIN emptyings AS e ON e.thing_id = p.thing_id AND e.emptied_at = p.observed_at
),
daily AS (
    SELECT thing_id, local_date, max(observed_at) AS last_at, arg_max(fill_pct, observed_at) AS fill_pct,
        arg_max(fill_pct, observed_at) FILTER (hour < 20) AS at_eight,
        coalesce(sum(rise), 0) AS rise, coalesce(sum(micros), 0) AS micros
    FROM step GROUP BY thing_id, local_date
),
hourly AS (  -- of whole days: half a day is no course of it
    SELECT s.thing_id, s.local_date, s.hour, sum(s.rise) AS rise
    FROM step AS s JOIN daily AS d ON d.thing_id = s.thing_id AND d.local_date = s.local_date AND d.micros >= 0.9 * 86400000000
    GROUP BY s.thing_id, s.local_date, s.hour
),
rate AS (
    SELECT l.local_date, d.thing_id, max(d.last_at) AS last_at, arg_max(d.fill_pct, d.last_at) AS fill_pct, sum(d.micros) AS micros,
        local_time(max(d.last_at) - INTERVAL 1 MICROSECOND) AS last_local,
        86400000000 * CAST(sum(d.rise) AS DOUBLE) / nullif(sum(d.micros), 0) AS points_a_day
    FROM (SELECT DISTINCT local_date FROM daily) AS l
    JOIN daily AS d ON d.local_date BETWEEN l.local_date - 6 AND l.local_date
    GROUP BY l.local_date, d.thing_id
),
course AS (  -- the share of a day's rise that has come by the hour of the last reading, and by eight in the evening
    SELECT g.local_date, g.thing_id, sum(h.rise) AS whole, coalesce(sum(h.rise) FILTER (h.hour < 20), 0) AS by_eight,
        coalesce(sum(h.rise) FILTER (h.hour <= hour(g.last_local)), 0) AS so_far
    FROM rate AS g JOIN hourly AS h ON h.thing_id = g.thing_id AND h.local_date BETWEEN g.local_date - 7 AND g.local_date - 1
    GROUP BY g.local_date, g.thing_id
),
ahead AS (  -- days of filling until then
    SELECT g.*, date_diff('day', CAST(g.last_local AS DATE), g.local_date) + 1 + CASE WHEN c.whole > 0
        THEN CAST(least(1, greatest(0, c.by_eight / c.whole)) - least(1, greatest(0, c.so_far / c.whole)) AS DOUBLE)
        ELSE (19 - hour(g.last_local)) / 24 END AS days_ahead
    FROM rate AS g LEFT JOIN course AS c ON c.thing_id = g.thing_id AND c.local_date = g.local_date
    WHERE g.last_at >= (SELECT timezone(zone, g.local_date - INTERVAL 1 DAY) FROM municipality)
),
expected AS (
    SELECT *, points_a_day > 0 AND micros >= 3 * 86400000000 AS known,
        fill_pct + CASE WHEN known THEN points_a_day * days_ahead ELSE 0 END AS then_pct
    FROM ahead WHERE coalesce(known, false) OR fill_pct >= 90
),
off AS (  -- what came the evening after, less what was expected
    SELECT x.thing_id, x.local_date, (d.at_eight - least(x.then_pct, 100)) / sqrt(x.days_ahead) AS points
    FROM expected AS x
    JOIN daily AS d ON d.thing_id = x.thing_id AND d.local_date = x.local_date + 1 AND d.at_eight IS NOT NULL
    WHERE x.known AND x.days_ahead > 0 AND NOT EXISTS (
        FROM emptyings AS e WHERE e.thing_id = x.thing_id AND e.emptied_at > x.last_at AND local_date(e.emptied_at) <= x.local_date + 1)
),
own AS (
    SELECT x.thing_id, x.local_date, count(*) AS known, eight_of_ten(list_sort(list(o.points))) AS bounds
    FROM expected AS x JOIN off AS o ON o.thing_id = x.thing_id AND o.local_date BETWEEN x.local_date - 29 AND x.local_date - 2
    GROUP BY x.thing_id, x.local_date
),
everybody AS (
    SELECT l.local_date, count(*) AS known, eight_of_ten(list_sort(list(o.points))) AS bounds
    FROM (SELECT DISTINCT local_date FROM expected) AS l JOIN off AS o ON o.local_date BETWEEN l.local_date - 29 AND l.local_date - 2
    GROUP BY l.local_date
)
SELECT x.thing_id, x.local_date, x.last_at, x.fill_pct, x.points_a_day, x.micros, x.then_pct,
    CASE WHEN coalesce(w.bounds, v.bounds) IS NOT NULL
        THEN greatest(least(x.then_pct, 100) + coalesce(w.bounds, v.bounds)[1] * sqrt(x.days_ahead), 0) END AS low_pct,
    CASE WHEN coalesce(w.bounds, v.bounds) IS NOT NULL
        THEN least(least(x.then_pct, 100) + coalesce(w.bounds, v.bounds)[2] * sqrt(x.days_ahead), 100) END AS high_pct
FROM expected AS x
LEFT JOIN own AS w ON w.thing_id = x.thing_id AND w.local_date = x.local_date AND w.known >= 10
LEFT JOIN everybody AS v ON v.local_date = x.local_date AND v.known >= 10;
