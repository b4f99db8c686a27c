-- Noise of the day (6 to 18 o'clock), the evening (18 to 22) and the night (22 to 6) as energy means, with the known share.
--
-- A night belongs to the local day on which it begins. A level counts for its own span (observed_until), or else a quarter of
-- an hour. When clocks change the night has 7 or 9 hours.
CREATE OR REPLACE VIEW noise_parts AS
WITH reading AS (
    SELECT a.thing_id, n.noise_laeq_db AS level_db, coalesce(epoch(n.observed_until) - epoch(n.observed_at), 900) AS seconds,
        timezone(m.zone, n.observed_at) - INTERVAL 6 HOUR AS shifted, m.zone
    FROM noise AS n CROSS JOIN municipality AS m
    JOIN assignments AS a ON a.device_id = n.device_id AND n.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR n.observed_at < a.valid_to)
    WHERE n.noise_laeq_db IS NOT NULL AND n.quality NOT IN (4, 9)
),
part AS (
    SELECT *, CAST(shifted AS DATE) AS local_date,
        CASE WHEN hour(shifted) < 12 THEN 'day' WHEN hour(shifted) < 16 THEN 'evening' ELSE 'night' END AS part
    FROM reading
)
SELECT thing_id, local_date, part,
    10 * log10(CAST(sum(CAST(seconds * pow(10, level_db / 10) AS DECIMAL(38, 3))) AS DOUBLE) / sum(seconds)) AS level_db,
    least(1, sum(seconds) / any_value(
        epoch(timezone(zone, local_date + CASE part WHEN 'day' THEN INTERVAL 18 HOUR WHEN 'evening' THEN INTERVAL 22 HOUR ELSE INTERVAL 30 HOUR END))
        - epoch(timezone(zone, local_date + CASE part WHEN 'day' THEN INTERVAL 6 HOUR WHEN 'evening' THEN INTERVAL 18 HOUR ELSE INTERVAL 22 HOUR END))
    )) AS coverage
FROM part
WHERE seconds > 0
GROUP BY thing_id, local_date, part;
