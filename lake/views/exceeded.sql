-- Local days in a row on which a stored daily value of a thing was above `above`, as conditions: a day without a value ends one.
--
-- What counts is the days, or with `sums` the values (hours) themselves: so_far is the year's count up to the last of these days
-- (behind a new year the higher one), and a condition is a warning when that is more than `allowed`. `today` is the local day of the run, and its yesterday the last
-- that can have a value.
CREATE OR REPLACE MACRO exceeded(named, above, allowed, sums, today) AS TABLE
WITH day AS (
    SELECT subject_id AS thing_id, period_start AS local_date, value, value > above AS past,
        CASE WHEN NOT past THEN 0 WHEN sums THEN value ELSE 1 END AS amount
    FROM indicator_values WHERE indicator = named AND value IS NOT NULL AND period_start < today
),
counted AS (
    SELECT *, sum(amount) OVER (PARTITION BY thing_id, year(local_date) ORDER BY local_date) AS so_far,
        list(round(value, 1)) OVER (PARTITION BY thing_id ORDER BY local_date ROWS 39 PRECEDING) AS chart,
        local_date - CAST(row_number() OVER (PARTITION BY thing_id, past ORDER BY local_date) AS INTEGER) AS island
    FROM day
),
episode AS (
    SELECT thing_id, min(local_date) AS first, max(local_date) AS last, count(*) AS days, max(value) AS highest,
        max(so_far) AS so_far, arg_max(chart, local_date) AS chart
    FROM counted WHERE past GROUP BY thing_id, island
)
SELECT e.thing_id, CAST(NULL AS VARCHAR) AS device_id, t.area_id, b.starts_at AS since, CASE WHEN e.last < today - 1 THEN f.ends_at END AS until,
    CASE WHEN e.so_far > allowed THEN 'warning' ELSE 'info' END AS severity,
    CAST(NULL AS DOUBLE) AS litres_per_hour, CAST(NULL AS DOUBLE) AS volume_m3, CAST(NULL AS DOUBLE) AS eur, 0.95 AS confidence,
    {'days': e.days, 'highest': round(e.highest, 1), 'so_far': e.so_far, 'allowed': allowed, 'chart': e.chart} AS evidence,
    e.last >= today - 1 AS going_on
FROM episode AS e
JOIN local_days AS b ON b.local_date = e.first
JOIN local_days AS f ON f.local_date = e.last
JOIN things AS t ON t.thing_id = e.thing_id
WHERE e.last >= today - 35;
