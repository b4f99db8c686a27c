-- Hourly means of what air stations measure, by clock hour and pollutant, with the share of the hour that was sampled.
--
-- An hour is known by its quarters: a reading accounts for the quarter in which it began, one with an end (observed_until) for
-- its whole span. So a station that sends once an hour has to say that this is the mean of an hour. Indicators take hours with
-- coverage 0.75 or more.
CREATE OR REPLACE VIEW air_hourly AS
WITH reading AS (
    SELECT a.thing_id, q.observed_at, coalesce(epoch(q.observed_until) - epoch(q.observed_at), 0) AS span_s,
        q.pm25_ugm3, q.pm10_ugm3, q.no2_ugm3, q.o3_ugm3
    FROM air_quality AS q
    JOIN assignments AS a ON a.device_id = q.device_id AND q.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR q.observed_at < a.valid_to)
    WHERE q.quality NOT IN (4, 9)
),
sample AS (
    SELECT 'pm25' AS pollutant, thing_id, observed_at, span_s, pm25_ugm3 AS level FROM reading
    UNION ALL SELECT 'pm10', thing_id, observed_at, span_s, pm10_ugm3 FROM reading
    UNION ALL SELECT 'no2', thing_id, observed_at, span_s, no2_ugm3 FROM reading
    UNION ALL SELECT 'o3', thing_id, observed_at, span_s, o3_ugm3 FROM reading
)
SELECT pollutant, thing_id, time_bucket(INTERVAL 1 HOUR, observed_at) AS starts_at,
    CAST(avg(CAST(level AS DECIMAL(18, 4))) AS DOUBLE) AS level_ugm3,
    least(1, greatest(count(DISTINCT time_bucket(INTERVAL 15 MINUTE, observed_at)) / 4, sum(span_s) / 3600)) AS coverage
FROM sample
WHERE level IS NOT NULL
GROUP BY pollutant, thing_id, time_bucket(INTERVAL 1 HOUR, observed_at);

-- Local days of a pollutant at a place, from the hours of which three quarters were sampled; `levels` has those hours.
CREATE OR REPLACE VIEW air_days AS
SELECT h.pollutant, h.thing_id, l.local_date, CAST(avg(CAST(h.level_ugm3 AS DECIMAL(18, 4))) AS DOUBLE) AS level_ugm3,
    list(h.level_ugm3) AS levels, count(*) AS known_h, any_value(l.hours) AS day_h, count(*) / any_value(l.hours) AS coverage
FROM air_hourly AS h CROSS JOIN municipality AS m
JOIN local_days AS l ON l.local_date = CAST(timezone(m.zone, h.starts_at) AS DATE)
WHERE h.coverage >= 0.75
GROUP BY h.pollutant, h.thing_id, l.local_date;
