-- Gas registers of buildings become volumes here; the arithmetic is that of arithmetic.sql. A volume is no energy: that
-- takes the calorific value on the supplier's invoice.

CREATE OR REPLACE VIEW gas_registers AS
SELECT 'gas' AS measure, device_id, observed_at, day, gas_total_m3 AS register
FROM building_energy WHERE gas_total_m3 IS NOT NULL AND quality NOT IN (4, 9);

CREATE OR REPLACE VIEW gas_spans AS
SELECT 'gas' AS measure, a.thing_id, a.device_id, a.valid_from, a.valid_to,
    CAST(NULL AS DECIMAL(18, 6)) AS start_register, CAST(NULL AS DECIMAL(18, 6)) AS end_register,
    register_full_at(d.factors) AS full_at, CAST(250 AS DECIMAL(18, 6)) AS most, CAST(0 AS DECIMAL(9, 6)) AS back
FROM assignments AS a
JOIN things AS t ON t.thing_id = a.thing_id AND t.family = 'building_energy'
LEFT JOIN devices AS d ON d.device_id = a.device_id;

CREATE OR REPLACE VIEW gas_hourly AS
SELECT thing_id, device_id, starts_at, ends_at, amount AS volume_m3, estimated, step, register_before, register_after
FROM register_steps('gas_registers', 'gas_spans', NULL, NULL);

CREATE OR REPLACE VIEW gas_daily AS
WITH gas AS (FROM register_steps('gas_registers', 'gas_spans', NULL, NULL))
SELECT thing_id, local_date, amount AS volume_m3, estimated, coverage FROM register_days('gas', NULL, NULL);
