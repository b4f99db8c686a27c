-- What each luminaire did in each night, which belongs to the local day on which it begins: from 30 min after sunset to 30 min
-- before sunrise at the town's place. A report holds until the next one, two hours at most.
--   scheduled_h  hours of the night; known_h those that reports account for
--   burning_h    known hours with light: at least a tenth of the nominal power (20 W where nobody knows it), or lamp_state
--   resting_h    known hours without light that were wanted so (dim_pct 0)
--   energy_wh, nominal_wh  drawn while burning, and what the nominal power would have drawn; both where both are known
CREATE OR REPLACE VIEW lamp_nights AS
WITH night AS (
    SELECT local_date, sunset + INTERVAL 30 MINUTE AS dusk, lead(sunrise) OVER (ORDER BY local_date) - INTERVAL 30 MINUTE AS dawn
    FROM local_days
),
lamp AS (
    SELECT thing_id, area_id, try_cast(json_extract_string(attributes, '$.nominal_power_w') AS DOUBLE) AS nominal_w
    FROM things WHERE family = 'streetlight'
),
report AS (
    SELECT a.thing_id, s.observed_at, s.power_w, s.lamp_state, s.dim_pct,
        least(s.observed_at + INTERVAL 2 HOUR, coalesce(lead(s.observed_at) OVER v, s.observed_at + INTERVAL 2 HOUR)) AS until,
        CAST(timezone(m.zone, s.observed_at) - INTERVAL 12 HOUR AS DATE) AS local_date
    FROM streetlight AS s CROSS JOIN municipality AS m
    JOIN assignments AS a ON a.device_id = s.device_id AND s.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR s.observed_at < a.valid_to)
    WHERE (s.power_w IS NOT NULL OR s.lamp_state IS NOT NULL) AND s.quality NOT IN (4, 9)
    WINDOW v AS (PARTITION BY a.thing_id, s.device_id, a.valid_from ORDER BY s.observed_at)
),
held AS (
    SELECT r.thing_id, l.area_id, r.local_date, l.nominal_w, r.power_w, n.dusk, n.dawn,
        (epoch_us(least(r.until, n.dawn)) - epoch_us(greatest(r.observed_at, n.dusk))) / 3.6e9 AS hours,
        coalesce(r.power_w >= 0.1 * coalesce(l.nominal_w, 20), r.lamp_state, false) AS burns, coalesce(r.dim_pct = 0, false) AS rests
    FROM report AS r
    JOIN lamp AS l ON l.thing_id = r.thing_id
    JOIN night AS n ON n.local_date = r.local_date AND r.until > n.dusk AND r.observed_at < n.dawn
)
SELECT thing_id, any_value(area_id) AS area_id, local_date,
    any_value(epoch_us(dawn) - epoch_us(dusk)) / 3.6e9 AS scheduled_h, sum(hours) AS known_h,
    coalesce(sum(hours) FILTER (burns), 0) AS burning_h, coalesce(sum(hours) FILTER (NOT burns AND rests), 0) AS resting_h,
    sum(power_w * hours) FILTER (burns AND nominal_w > 0) AS energy_wh,
    sum(nominal_w * hours) FILTER (burns AND power_w IS NOT NULL AND nominal_w > 0) AS nominal_wh, any_value(dawn) AS dawn
FROM held
GROUP BY thing_id, local_date;
