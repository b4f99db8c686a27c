-- Vehicles at a place by local day and clock hour of all its lanes. heard_s is the time that the worst lane was heard that day;
-- an interval that says nothing of its length has `seconds`.
CREATE OR REPLACE MACRO counted_days(seconds) AS TABLE
WITH lane AS (
    SELECT a.thing_id, c.device_id, c.lane, c.direction, c.vehicle_class, time_bucket(INTERVAL 1 HOUR, c.observed_at) AS starts_at,
        sum(c.count) AS vehicles, sum(coalesce(c.interval_s, seconds)) AS heard_s,
        CAST(timezone(any_value(m.zone), time_bucket(INTERVAL 1 HOUR, c.observed_at)) AS DATE) AS local_date
    FROM traffic_counter AS c CROSS JOIN municipality AS m
    JOIN assignments AS a ON a.device_id = c.device_id AND c.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR c.observed_at < a.valid_to)
    WHERE c.count IS NOT NULL AND c.quality NOT IN (4, 9)
    GROUP BY a.thing_id, c.device_id, c.lane, c.direction, c.vehicle_class, starts_at
),
heard AS (
    SELECT thing_id, local_date, min(heard_s) AS heard_s FROM (
        SELECT thing_id, local_date, sum(heard_s) AS heard_s
        FROM lane GROUP BY thing_id, local_date, device_id, lane, direction, vehicle_class
    ) GROUP BY thing_id, local_date
),
hourly AS (
    SELECT thing_id, local_date, starts_at, CAST(sum(vehicles) AS BIGINT) AS vehicles FROM lane GROUP BY thing_id, local_date, starts_at
)
SELECT h.thing_id, h.local_date, CAST(sum(h.vehicles) AS BIGINT) AS vehicles, max(h.vehicles) AS busiest,
    min_by(h.starts_at, (-h.vehicles, h.starts_at)) AS busiest_at, any_value(g.heard_s) AS heard_s,
    any_value(g.heard_s) / (3600 * any_value(l.hours)) AS coverage
FROM hourly AS h
JOIN heard AS g ON g.thing_id = h.thing_id AND g.local_date = h.local_date
JOIN local_days AS l ON l.local_date = h.local_date
GROUP BY h.thing_id, h.local_date;
