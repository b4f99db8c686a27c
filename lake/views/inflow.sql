-- What flows into each area: the district meters of an area, signed and summed, by quarter of an hour.
--
-- A district meter counts into its area; attribute direction = "out" of the thing makes it count out of it. Flow is that of
-- flow_m3h, or of the register where a meter gives no flow. A slot where a meter of the area is silent has meters < expected.
CREATE OR REPLACE VIEW inflow AS
WITH meter AS (
    SELECT a.thing_id, a.device_id, a.valid_from, a.valid_to, t.area_id,
        CASE WHEN json_extract_string(t.attributes, '$.direction') = 'out' THEN -1 ELSE 1 END AS sign
    FROM assignments AS a
    JOIN things AS t ON t.thing_id = a.thing_id AND t.family = 'district_meter' AND t.area_id IS NOT NULL
),
reading AS (
    SELECT m.thing_id, m.area_id, m.sign, r.observed_at, r.pressure_kpa,
        coalesce(r.flow_m3h, CAST(r.volume_total_m3 - lag(r.volume_total_m3) OVER w AS DOUBLE) * 3.6e9
            / nullif(epoch_us(r.observed_at) - epoch_us(lag(r.observed_at) OVER w), 0)) AS flow_m3h
    FROM district_meter AS r
    JOIN meter AS m ON m.device_id = r.device_id AND r.observed_at >= m.valid_from
        AND (m.valid_to IS NULL OR r.observed_at < m.valid_to)
    WHERE r.quality NOT IN (4, 9)
    WINDOW w AS (PARTITION BY r.device_id ORDER BY r.observed_at)
),
slot AS (
    SELECT thing_id, area_id, sign, time_bucket(INTERVAL 15 MINUTE, observed_at) AS starts_at,
        avg(flow_m3h) AS flow_m3h, avg(pressure_kpa) AS pressure_kpa
    FROM reading WHERE flow_m3h IS NOT NULL
    GROUP BY thing_id, area_id, sign, starts_at
),
speaking AS (
    SELECT DISTINCT area_id, thing_id FROM slot
),
expected AS (  -- a meter counts while it hangs there, once it has ever given a flow
    SELECT s.area_id, s.starts_at, count(DISTINCT m.thing_id) AS expected
    FROM (SELECT DISTINCT area_id, starts_at FROM slot) AS s
    JOIN meter AS m ON m.area_id = s.area_id AND m.valid_from < s.starts_at + INTERVAL 15 MINUTE
        AND (m.valid_to IS NULL OR m.valid_to > s.starts_at)
    SEMI JOIN speaking AS p ON p.thing_id = m.thing_id
    GROUP BY s.area_id, s.starts_at
)
SELECT s.area_id, s.starts_at, sum(s.sign * s.flow_m3h) AS flow_m3h, avg(s.pressure_kpa) AS pressure_kpa,
    count(*) AS meters, any_value(e.expected) AS expected
FROM slot AS s JOIN expected AS e ON e.area_id = s.area_id AND e.starts_at = s.starts_at
GROUP BY s.area_id, s.starts_at;
