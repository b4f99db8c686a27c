-- The heat of a building against the temperature outside, day by day: the line through its own days of the last 60 below 15 °C
-- (least squares; temperature is the mean over the weather stations), for each such day with enough of it known.
--
-- kwh and cel are those of the day, slope kWh a day for each degree (less than 0 where heat falls with warmth), base what the
-- line says at 0 °C, days the number of days behind it: 20 at least, and only lines that fall.
CREATE OR REPLACE VIEW heat_lines AS
WITH outdoor AS (
    SELECT period_start AS local_date, CAST(avg(CAST(value AS DECIMAL(18, 4))) AS DOUBLE) AS cel
    FROM indicator_values WHERE indicator = 'environment.temperature_day' AND value IS NOT NULL GROUP BY period_start
),
known AS (
    SELECT v.subject_id, v.period_start AS local_date, v.value AS kwh, o.cel
    FROM indicator_values AS v JOIN outdoor AS o ON o.local_date = v.period_start AND o.cel < 15
    WHERE v.indicator = 'buildings.heat' AND v.value IS NOT NULL AND v.coverage >= 0.9
)
SELECT *, count(*) OVER w AS days, regr_slope(kwh, cel) OVER w AS slope, regr_intercept(kwh, cel) OVER w AS base
FROM known
WINDOW w AS (PARTITION BY subject_id ORDER BY local_date RANGE BETWEEN INTERVAL 59 DAY PRECEDING AND CURRENT ROW)
QUALIFY days >= 20 AND slope < 0 AND isfinite(slope);
