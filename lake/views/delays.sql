-- How late readings came: by local day of the reading, for families, gateways and the municipality. readings has family,
-- device_id, observed_at and received_at; seconds is the delay of which `share` of the readings came sooner.
CREATE OR REPLACE MACRO delay_days(readings, share) AS TABLE
WITH late AS (
    SELECT h.family, d.gateway, h.device_id, CAST(timezone(m.zone, h.observed_at) AS DATE) AS local_date, m.name,
        greatest(0, (epoch_us(h.received_at) - epoch_us(h.observed_at)) // 1000000) AS seconds
    FROM query_table(readings) AS h CROSS JOIN municipality AS m LEFT JOIN devices AS d ON d.device_id = h.device_id
    WHERE h.received_at IS NOT NULL
)
SELECT CASE WHEN grouping(family) = 0 THEN 'family' WHEN grouping(gateway) = 0 THEN 'gateway' ELSE 'municipality' END AS subject_kind,
    CASE WHEN grouping(family) = 0 THEN family WHEN grouping(gateway) = 0 THEN gateway ELSE any_value(name) END AS subject_id,
    local_date, quantile_disc(seconds, share) AS seconds, count(*) FILTER (seconds > 3600) AS over_an_hour, count(*) AS readings,
    count(DISTINCT device_id) AS devices
FROM late
GROUP BY GROUPING SETS ((local_date, family), (local_date, gateway), (local_date))
HAVING grouping(gateway) = 1 OR gateway IS NOT NULL;
