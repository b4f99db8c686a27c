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

-- The rows of consumption_daily of the local days first to last, with as few readings as that takes.
CREATE OR REPLACE MACRO consumption_days(first, last) AS TABLE
WITH water AS (FROM register_steps('water_registers', 'water_spans', first, last))
SELECT thing_id, local_date, amount AS volume_m3, estimated, coverage, backwards AS reverse_m3
FROM register_days('water', first, last);
