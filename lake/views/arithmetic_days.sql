-- Steps shared by time among the local days that they touch, in whole millionths, so that days add up to steps exactly. A
-- step over 31 days belongs to no day. `steps` is a name, too; of days before `first` and behind `last` nothing is said.
CREATE OR REPLACE MACRO register_days(steps, first, last) AS TABLE
WITH local AS (
    SELECT s.measure, s.thing_id, s.estimated, m.zone, s.amount, s.backwards,
        epoch_us(s.starts_at) AS starts, epoch_us(s.ends_at) AS ends,
        CAST(s.starts_at AT TIME ZONE m.zone AS DATE) AS first_date,
        CAST((s.ends_at - INTERVAL 1 MICROSECOND) AT TIME ZONE m.zone AS DATE) AS last_date
    FROM query_table(steps) AS s CROSS JOIN (SELECT zone FROM municipality LIMIT 1) AS m
    WHERE s.ends_at - s.starts_at <= INTERVAL 31 DAY
),
dated AS (
    SELECT *, unnest(range(first_date, last_date + INTERVAL 1 DAY, INTERVAL 1 DAY)) AS midnight FROM local
    WHERE first_date < last_date
),
part AS (
    SELECT measure, thing_id, first_date AS local_date, amount, backwards, estimated, ends - starts AS length
    FROM local WHERE first_date = last_date
    UNION ALL
    SELECT measure, thing_id, local_date,
        register_share(amount, since - starts, until - starts, ends - starts),
        register_share(backwards, since - starts, until - starts, ends - starts),
        estimated OR ends - starts > 5400000000, until - since
    FROM (
        SELECT *, CAST(midnight AS DATE) AS local_date, greatest(starts, epoch_us(midnight AT TIME ZONE zone)) AS since,
            least(ends, epoch_us((midnight + INTERVAL 1 DAY) AT TIME ZONE zone)) AS until
        FROM dated
    )
),
total AS (
    SELECT measure, thing_id, local_date, CAST(sum(amount) AS DECIMAL(18, 6)) AS amount, bool_or(estimated) AS estimated,
        sum(length) AS length, CAST(sum(backwards) AS DECIMAL(18, 6)) AS backwards
    FROM part
    WHERE first IS NULL OR local_date BETWEEN CAST(first AS DATE) AND CAST(last AS DATE)
    GROUP BY measure, thing_id, local_date
)
SELECT measure, thing_id, local_date, amount, estimated,
    length / (epoch_us((local_date + INTERVAL 1 DAY) AT TIME ZONE zone) - epoch_us(CAST(local_date AS TIMESTAMP) AT TIME ZONE zone)) AS coverage,
    backwards
FROM total CROSS JOIN (SELECT zone FROM municipality LIMIT 1);

-- Whose days a change of readings reaches: of every thing, the local days whose amounts may be others than before readings of
-- the local days first to last came or were revised. Where registers only rise there, that is until the readings beside
-- them (31 days at most); else everything that a mistake can reach: 57 days before to 64 after, as for erased readings and
-- for what is said anew in the registry, of which nothing is left to be seen here.
CREATE OR REPLACE MACRO register_reach(points, spans, revisions, first, last) AS TABLE
WITH near AS (
    SELECT measure, device_id, register - lag(register) OVER (PARTITION BY measure, device_id ORDER BY observed_at) AS rise
    FROM query_table(points) WHERE day BETWEEN CAST(first AS DATE) - 1 AND CAST(last AS DATE) + 1
),
doubtful AS (
    SELECT measure, device_id FROM near WHERE rise < 0
    UNION
    SELECT measure, device_id FROM query_table(revisions)
    WHERE day BETWEEN CAST(first AS DATE) - 1 AND CAST(last AS DATE) + 1
),
device AS (
    SELECT s.measure, s.device_id, s.torn OR d.device_id IS NOT NULL AS wide, s.since, s.until
    FROM register_sketch(points, spans, first, last) AS s
    LEFT JOIN doubtful AS d ON d.measure = s.measure AND d.device_id = s.device_id
)
SELECT h.thing_id, bool_or(d.wide) AS wide,
    min(CASE WHEN d.wide THEN CAST(first AS DATE) - 57
        ELSE greatest(coalesce(CAST(d.since AT TIME ZONE m.zone AS DATE), CAST(first AS DATE)), CAST(first AS DATE) - 32) END) AS first_date,
    max(CASE WHEN d.wide THEN CAST(last AS DATE) + 64
        ELSE least(coalesce(CAST(d.until AT TIME ZONE m.zone AS DATE), CAST(last AS DATE)), CAST(last AS DATE) + 32) END) AS last_date
FROM device AS d
JOIN (SELECT DISTINCT measure, device_id, thing_id FROM query_table(spans)) AS h ON h.measure = d.measure AND h.device_id = d.device_id
CROSS JOIN (SELECT zone FROM municipality LIMIT 1) AS m
GROUP BY h.thing_id;
