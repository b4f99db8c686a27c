-- What stations measured, by place and local day, from the quarters of an hour in which something was heard: so a station that
-- sends more often at noon does not make a day warmer. readings has device_id, observed_at and amount.
CREATE OR REPLACE MACRO quarter_days(readings) AS TABLE
WITH quarter AS (
    SELECT a.thing_id, time_bucket(INTERVAL 15 MINUTE, r.observed_at) AS starts_at, min(r.amount) AS lowest, max(r.amount) AS highest,
        avg(CAST(r.amount AS DECIMAL(18, 4))) AS mean, sum(CAST(r.amount AS DECIMAL(18, 4))) AS total
    FROM query_table(readings) AS r
    JOIN assignments AS a ON a.device_id = r.device_id AND r.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR r.observed_at < a.valid_to)
    GROUP BY a.thing_id, starts_at
)
SELECT q.thing_id, l.local_date, min(q.lowest) AS lowest, max(q.highest) AS highest,
    CAST(avg(CAST(q.mean AS DECIMAL(18, 4))) AS DOUBLE) AS mean, CAST(sum(q.total) AS DOUBLE) AS total,
    count(*) AS quarters, 4 * any_value(l.hours) AS of_quarters, count(*) / (4 * any_value(l.hours)) AS coverage
FROM quarter AS q CROSS JOIN municipality AS m
JOIN local_days AS l ON l.local_date = CAST(timezone(m.zone, q.starts_at) AS DATE)
GROUP BY q.thing_id, l.local_date;
