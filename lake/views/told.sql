-- Each device's heard and declared readings of a day: once for its family, gateway, every area around it, and the municipality.
CREATE OR REPLACE VIEW told_devices AS
WITH device AS (
    SELECT v.subject_id AS device_id, v.period_start AS local_date, CAST(v.numerator AS DECIMAL(24, 9)) AS heard,
        CAST(v.denominator AS DECIMAL(24, 9)) AS declared, any_value(d.family) AS family, any_value(d.gateway) AS gateway,
        arg_max(t.area_id, a.valid_from) AS area_id
    FROM indicator_values AS v
    JOIN devices AS d ON d.device_id = v.subject_id
    JOIN local_days AS l ON l.local_date = v.period_start
    LEFT JOIN assignments AS a ON a.device_id = v.subject_id AND a.valid_from < l.ends_at
        AND (a.valid_to IS NULL OR a.valid_to > l.starts_at)
    LEFT JOIN things AS t ON t.thing_id = a.thing_id
    WHERE v.indicator = 'platform.completeness_device' AND v.value IS NOT NULL
    GROUP BY v.subject_id, v.period_start, v.numerator, v.denominator
)
SELECT 'family' AS subject_kind, family AS subject_id, * FROM device
UNION ALL SELECT 'gateway', gateway, * FROM device WHERE gateway IS NOT NULL
UNION ALL SELECT 'area', e.ancestor_id, d.* FROM device AS d JOIN area_tree AS e ON e.area_id = d.area_id
UNION ALL SELECT 'municipality', m.name, d.* FROM device AS d CROSS JOIN municipality AS m;
