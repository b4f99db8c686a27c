-- How long what devices reported held, by local day: a report holds until the next one of its place, `longest` at most.
--
-- readings has thing_id, observed_at and amount (null where the report is not to be counted: then it only ends the one before).
-- heard_h is the time that reports account for, known_h that of the counted ones, amount_h their amounts times hours: of 0 and
-- 1 the hours in which something was so.
CREATE OR REPLACE MACRO held_days(readings, longest) AS TABLE
WITH lasting AS (
    SELECT thing_id, amount, observed_at,
        least(observed_at + longest, coalesce(lead(observed_at) OVER (PARTITION BY thing_id ORDER BY observed_at), observed_at + longest)) AS until
    FROM query_table(readings)
),
dated AS (  -- what begins before midnight holds behind it, too
    SELECT l.*, CAST(timezone(m.zone, l.observed_at) AS DATE) AS local_date FROM lasting AS l CROSS JOIN municipality AS m
    UNION ALL
    SELECT l.*, CAST(timezone(m.zone, l.until) AS DATE) FROM lasting AS l CROSS JOIN municipality AS m
    WHERE CAST(timezone(m.zone, l.until) AS DATE) > CAST(timezone(m.zone, l.observed_at) AS DATE)
),
share AS (
    SELECT d.thing_id, d.local_date, d.amount, n.hours AS day_h,
        epoch_us(least(d.until, n.ends_at)) - epoch_us(greatest(d.observed_at, n.starts_at)) AS micros
    FROM dated AS d JOIN local_days AS n ON n.local_date = d.local_date
)
SELECT thing_id, local_date, any_value(day_h) AS day_h, sum(micros) / 3.6e9 AS heard_h,
    coalesce(sum(micros) FILTER (amount IS NOT NULL), 0) / 3.6e9 AS known_h,
    CAST(coalesce(sum(CAST(amount AS DECIMAL(18, 6)) * micros), 0) AS DOUBLE) / 3.6e9 AS amount_h
FROM share
GROUP BY thing_id, local_date;
