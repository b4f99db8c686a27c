-- Stored daily values of one indicator by whole local periods ('month', 'year', ...) and subject, as far as they are known.
--
-- told of `days` days have a value: an indicator says how many it needs. total, mean, numerator and denominator are over them,
-- base is the highest denominator, amounts has the values. coverage and estimated_share are of the whole period: a day without
-- a value is not covered, and estimated. estimated_of is the estimated share of the denominators, estimated_total of the values.
CREATE OR REPLACE MACRO stored_periods(named, cut) AS TABLE
WITH told AS (
    SELECT subject_kind, subject_id, period_start, devices, CAST(value AS DECIMAL(24, 9)) AS value,
        CAST(numerator AS DECIMAL(24, 9)) AS numerator, CAST(denominator AS DECIMAL(24, 9)) AS denominator,
        CAST(coverage AS DECIMAL(18, 9)) AS coverage, CAST(estimated_share AS DECIMAL(18, 9)) AS estimated_share
    FROM indicator_values WHERE indicator = named AND value IS NOT NULL
)
SELECT d.subject_kind, d.subject_id, p.starts_on AS period_start, p.ends_on AS period_end, any_value(p.days) AS days,
    count(*) AS told, list(d.value) AS amounts, sum(d.value) AS total, CAST(avg(d.value) AS DOUBLE) AS mean,
    sum(d.numerator) AS numerator, sum(d.denominator) AS denominator, max(d.denominator) AS base,
    sum(d.coverage) / any_value(p.days) AS coverage, max(d.devices) AS devices,
    1 - sum(1 - d.estimated_share) / any_value(p.days) AS estimated_share,
    sum(CAST(d.denominator AS DOUBLE) * d.estimated_share) / sum(d.denominator) AS estimated_of,
    CAST(sum(CAST(d.value AS DOUBLE) * d.estimated_share) AS DECIMAL(24, 6)) AS estimated_total
FROM told AS d
JOIN local_periods AS p ON p.period = cut AND p.starts_on = CAST(date_trunc(cut, d.period_start) AS DATE)
GROUP BY d.subject_kind, d.subject_id, p.starts_on, p.ends_on;
