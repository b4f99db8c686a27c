-- What each metered connection drew on each local day, and what it most likely drew while its meter was silent.
--
-- Built on the stored daily consumption (indicator water.consumption_connection). A connection counts for the time that a
-- meter hung there. The part of that time that no reading explains is filled with the connection's own mean of the full days
-- among the 28 before, and counted in filled_m3; a connection that was silent all that time fills nothing and shows in
-- coverage alone. Attributes of the thing: billed = "no" (drawn with consent and not charged: fire station, fountain), persons.
CREATE OR REPLACE VIEW metered_daily AS
WITH known AS (
    SELECT subject_id AS thing_id, period_start AS local_date, CAST(value AS DECIMAL(18, 6)) AS volume_m3, coverage,
        estimated_share > 0 AS interpolated
    FROM indicator_values
    WHERE indicator = 'water.consumption_connection' AND value IS NOT NULL
),
day AS (
    SELECT d.local_date, epoch_us(l.starts_at) AS starts, epoch_us(l.ends_at) AS ends
    FROM (SELECT DISTINCT local_date FROM known) AS d JOIN local_days AS l ON l.local_date = d.local_date
),
connection AS (
    SELECT t.thing_id, t.area_id, d.local_date,
        coalesce(lower(json_extract_string(t.attributes, '$.billed')) NOT IN ('no', 'ne', 'false', '0'), true) AS billed,
        try_cast(json_extract_string(t.attributes, '$.persons') AS INTEGER) AS persons,
        sum(least(d.ends, coalesce(epoch_us(a.valid_to), d.ends)) - greatest(d.starts, epoch_us(a.valid_from)))
            / any_value(d.ends - d.starts) AS served
    FROM day AS d
    JOIN assignments AS a ON epoch_us(a.valid_from) < d.ends AND (a.valid_to IS NULL OR epoch_us(a.valid_to) > d.starts)
    JOIN things AS t ON t.thing_id = a.thing_id AND t.family = 'water_meter'
    GROUP BY t.thing_id, t.area_id, d.local_date, t.attributes
),
beside AS (
    SELECT c.*, k.volume_m3, least(coalesce(k.coverage, 0), c.served) AS coverage, coalesce(k.interpolated, false) AS interpolated,
        avg(CASE WHEN k.coverage >= 0.999 THEN k.volume_m3 END) OVER (PARTITION BY c.thing_id ORDER BY c.local_date
            RANGE BETWEEN INTERVAL 28 DAY PRECEDING AND INTERVAL 1 DAY PRECEDING) AS usual_m3
    FROM connection AS c LEFT JOIN known AS k ON k.thing_id = c.thing_id AND k.local_date = c.local_date
)
SELECT thing_id, area_id, local_date, billed, persons, served, coverage,
    volume_m3 AS measured_m3,
    CASE WHEN served - coverage > 0.0001 THEN CAST(round((served - coverage) * usual_m3, 6) AS DECIMAL(18, 6)) END AS filled_m3,
    CASE WHEN interpolated THEN volume_m3 ELSE 0 END AS interpolated_m3
FROM beside;
