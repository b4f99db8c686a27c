-- Registers of water meters become consumption here, and nowhere else; the arithmetic is that of arithmetic.sql.

CREATE OR REPLACE VIEW water_registers AS
SELECT 'volume' AS measure, device_id, observed_at, day, volume_total_m3 AS register
FROM water_meter WHERE volume_total_m3 IS NOT NULL AND quality NOT IN (4, 9);

CREATE OR REPLACE VIEW water_spans AS
SELECT 'volume' AS measure, a.thing_id, a.device_id, a.valid_from, a.valid_to, a.start_register, a.end_register,
    register_full_at(d.factors) AS full_at, register_limit(d.factors, 'flow_m3h_max', 1, 125) AS most,
    CAST(0.02 AS DECIMAL(9, 6)) AS back
FROM assignments AS a
JOIN things AS t ON t.thing_id = a.thing_id AND t.family = 'water_meter'
LEFT JOIN devices AS d ON d.device_id = a.device_id;

CREATE OR REPLACE VIEW consumption_hourly AS
SELECT thing_id, device_id, starts_at, ends_at, amount AS volume_m3, estimated, backwards AS reverse_m3, step,
    register_before, register_after
FROM register_steps('water_registers', 'water_spans', NULL, NULL);

CREATE OR REPLACE VIEW consumption_daily AS
WITH water AS (FROM register_steps('water_registers', 'water_spans', NULL, NULL))
SELECT thing_id, local_date, amount AS volume_m3, estimated, coverage, backwards AS reverse_m3
FROM register_days('water', NULL, NULL);

-- What only came twice, or was completed by another measure, is no revision.
CREATE OR REPLACE VIEW water_revisions AS
SELECT 'volume' AS measure, device_id, day, observed_at
FROM water_meter_revisions
GROUP BY device_id, day, observed_at
HAVING min(volume_total_m3) <> max(volume_total_m3) OR min(quality IN (4, 9)) <> max(quality IN (4, 9));

-- The rows of consumption_daily of the local days first to last, with as few readings as that takes.
CREATE OR REPLACE MACRO consumption_days(first, last) AS TABLE
WITH water AS (FROM register_steps('water_registers', 'water_spans', first, last))
SELECT thing_id, local_date, amount AS volume_m3, estimated, coverage, backwards AS reverse_m3
FROM register_days('water', first, last);

-- The same of some things alone: `things` is the name of a table or view with a column thing_id.
CREATE OR REPLACE MACRO consumption_days_of(things, first, last) AS TABLE
WITH chosen_spans AS MATERIALIZED (
    SELECT * FROM water_spans WHERE thing_id IN (SELECT thing_id FROM query_table(things))
),
chosen_registers AS NOT MATERIALIZED (
    SELECT * FROM water_registers WHERE device_id IN (SELECT device_id FROM chosen_spans)
),
water AS (FROM register_steps('chosen_registers', 'chosen_spans', first, last))
SELECT thing_id, local_date, amount AS volume_m3, estimated, coverage, backwards AS reverse_m3
FROM register_days('water', first, last);

-- The rows of consumption_hourly of at most 31 days that overlap the local days first to last, as few readings as that takes.
CREATE OR REPLACE MACRO consumption_steps(first, last) AS TABLE
SELECT thing_id, device_id, starts_at, ends_at, amount AS volume_m3, estimated, backwards AS reverse_m3, step,
    register_before, register_after
FROM register_steps('water_registers', 'water_spans', first, last), (SELECT zone FROM municipality LIMIT 1) AS m
WHERE ends_at - starts_at <= INTERVAL 31 DAY AND ends_at > CAST(first AS TIMESTAMP) AT TIME ZONE m.zone
    AND starts_at < (CAST(last AS TIMESTAMP) + INTERVAL 1 DAY) AT TIME ZONE m.zone;

-- thing_id, wide, first_date, last_date: the local days of each thing that change when readings of the local days first to
-- last come or are revised. Erased readings and corrections of the registry reach from 57 days before to 64 days after.
CREATE OR REPLACE MACRO consumption_reach(first, last) AS TABLE
FROM register_reach('water_registers', 'water_spans', 'water_revisions', first, last);
