-- The register of each water connection from reading to reading as it was read, falls included: for detectors, which look at
-- what is wrong with a meter. Consumption is made of the same registers in consumption.sql.
CREATE OR REPLACE VIEW meter_steps AS
SELECT a.thing_id, r.device_id, r.observed_at AS ends_at, lag(r.observed_at) OVER w AS starts_at,
    CAST(r.volume_total_m3 - lag(r.volume_total_m3) OVER w AS DOUBLE) AS rise_m3
FROM water_meter AS r
JOIN (SELECT row_number() OVER () AS n, * FROM assignments) AS a ON a.device_id = r.device_id AND r.observed_at >= a.valid_from
    AND (a.valid_to IS NULL OR r.observed_at < a.valid_to)
JOIN things AS t ON t.thing_id = a.thing_id AND t.family = 'water_meter'
WHERE r.volume_total_m3 IS NOT NULL AND r.quality NOT IN (4, 9)
WINDOW w AS (PARTITION BY a.n ORDER BY r.observed_at);
