-- The arithmetic of registers, for every family: docs/consumption.md says each rule with an example.
--
-- `points` and `spans` are names of views: what was read (measure, device_id, observed_at, day, register), and what hung
-- where (measure, thing_id, device_id, valid_from, valid_to, start_register, end_register, full_at, most, back): the
-- register begins anew at full_at, counts at most `most` an hour, and may run backwards by `back` an hour.

-- A register that went down is backflow up to `back` an hour (a day of it at most) or one last digit (0.001), and never
-- where it is zero now. What went down further fell.
CREATE OR REPLACE MACRO register_fell(before, after, micros, back, is_zero) AS
    after < before - 0.001 AND (is_zero OR (before - after) * 3600000000 > back * least(micros, 86400000000));

-- What no meter of this kind counts in that time, within a quarter of an hour at least.
CREATE OR REPLACE MACRO register_jumped(before, after, micros, most) AS
    after - before > most * 0.25 AND (after - before) * 3600000000 > most * greatest(micros, 900000000);

-- Where a register begins anew: 10 ^ register_width of the device, if that is a number of digits.
CREATE OR REPLACE MACRO register_full_at(factors) AS
    CASE WHEN TRY_CAST(json_extract_string(factors, '$.register_width') AS DOUBLE) BETWEEN 1 AND 9
        THEN CAST(pow(10, floor(CAST(json_extract_string(factors, '$.register_width') AS DOUBLE))) AS DECIMAL(18, 6)) END;

-- A limit of the device from the registry, or what holds for its family.
CREATE OR REPLACE MACRO register_limit(factors, name, scale, otherwise) AS
    coalesce(CAST(nullif(greatest(TRY_CAST(json_extract_string(factors, '$.' || name) AS DOUBLE) * scale, 0), 0)
        AS DECIMAL(18, 6)), CAST(otherwise AS DECIMAL(18, 6)));

-- The part of an amount from one moment of its step to another, so that the parts of a step add up to it.
CREATE OR REPLACE MACRO register_share(amount, since, until, length) AS
    CAST(CAST(CAST(amount * 1000000 AS HUGEINT) * until // length - CAST(amount * 1000000 AS HUGEINT) * since // length
        AS DECIMAL(32, 0)) * CAST(0.000001 AS DECIMAL(6, 6)) AS DECIMAL(18, 6));

-- Of each device that spoke around the days first to last (64 days before to 57 after): whether its register did anything
-- there but rise from day to day, or the device was hung or taken down; the last UTC day before and the first one after on
-- which it spoke, a day apart from these days; and moments between which all lies that its last reading before these local
-- days and the first one after may be.
CREATE OR REPLACE MACRO register_sketch(points, spans, first, last) AS TABLE
WITH device AS (
    SELECT measure, device_id, max(back) AS back, max(full_at) AS full_at,
        bool_or(CAST(valid_from AS DATE) BETWEEN CAST(first AS DATE) - 64 AND CAST(last AS DATE) + 57
            OR coalesce(CAST(valid_to AS DATE) BETWEEN CAST(first AS DATE) - 64 AND CAST(last AS DATE) + 57, false)) AS moved
    FROM query_table(spans) WHERE first IS NOT NULL GROUP BY measure, device_id
),
daily AS (
    SELECT measure, device_id, day, min(register) AS low, max(register) AS high,
        min(observed_at) AS starts_at, max(observed_at) AS ends_at,
        arg_min(register, observed_at) AS starts, arg_max(register, observed_at) AS ends
    FROM query_table(points)
    WHERE first IS NOT NULL AND day BETWEEN CAST(first AS DATE) - 64 AND CAST(last AS DATE) + 57
    GROUP BY measure, device_id, day
),
beside AS (
    SELECT s.*, d.back, d.full_at, d.moved, lag(s.ends) OVER w AS before, lag(s.ends_at) OVER w AS before_at,
        CAST(first AS TIMESTAMP) AT TIME ZONE m.zone AS span_starts,
        (CAST(last AS TIMESTAMP) + INTERVAL 1 DAY) AT TIME ZONE m.zone AS span_ends
    FROM daily AS s JOIN device AS d ON d.measure = s.measure AND d.device_id = s.device_id
    CROSS JOIN (SELECT zone FROM municipality LIMIT 1) AS m
    WINDOW w AS (PARTITION BY s.measure, s.device_id ORDER BY s.day)
)
SELECT measure, device_id,
    any_value(moved)
        OR bool_or(low < starts - 0.001 OR high > ends + 0.001)
        OR coalesce(bool_or(register_fell(before, starts, epoch_us(starts_at) - epoch_us(before_at), back, starts = 0)), false)
        OR coalesce(min(low) < 0.1 * any_value(full_at) AND max(high) >= 0.9 * any_value(full_at), false) AS torn,
    max(day) FILTER (day <= CAST(first AS DATE) - 2) AS before,
    min(day) FILTER (day >= CAST(last AS DATE) + 2) AS after,
    max(starts_at) FILTER (starts_at < span_starts) AS since,
    min(ends_at) FILTER (ends_at >= span_ends) AS until
FROM beside GROUP BY measure, device_id;
