-- Registers of energy and gas become consumption here; the arithmetic is that of arithmetic.sql. A device may have several
-- registers: each is a measure of its own, and start and end registers of an exchange are those of its family's first.

CREATE OR REPLACE VIEW energy_registers AS
SELECT 'heat_meter/heat' AS measure, device_id, observed_at, day, heat_total_kwh AS register
FROM heat_meter WHERE heat_total_kwh IS NOT NULL AND quality NOT IN (4, 9)
UNION ALL
SELECT 'heat_meter/cooling', device_id, observed_at, day, cooling_total_kwh
FROM heat_meter WHERE cooling_total_kwh IS NOT NULL AND quality NOT IN (4, 9)
UNION ALL
SELECT 'building_energy/electricity', device_id, observed_at, day, electricity_total_kwh
FROM building_energy WHERE electricity_total_kwh IS NOT NULL AND quality NOT IN (4, 9)
UNION ALL
SELECT 'building_energy/heat', device_id, observed_at, day, heat_total_kwh
FROM building_energy WHERE heat_total_kwh IS NOT NULL AND quality NOT IN (4, 9)
UNION ALL
SELECT 'building_energy/cooling', device_id, observed_at, day, cooling_total_kwh
FROM building_energy WHERE cooling_total_kwh IS NOT NULL AND quality NOT IN (4, 9)
UNION ALL
SELECT 'streetlight/electricity', device_id, observed_at, day, energy_total_kwh
FROM streetlight WHERE energy_total_kwh IS NOT NULL AND quality NOT IN (4, 9);

CREATE OR REPLACE VIEW energy_spans AS
SELECT k.family || '/' || k.measure AS measure, a.thing_id, a.device_id, a.valid_from, a.valid_to,
    CASE WHEN k.leads THEN a.start_register END AS start_register, CASE WHEN k.leads THEN a.end_register END AS end_register,
    register_full_at(d.factors) AS full_at, register_limit(d.factors, k.own, k.scale, k.most) AS most,
    CAST(0 AS DECIMAL(9, 6)) AS back
FROM (VALUES
    ('heat_meter', 'heat', true, 'power_kw_max', 1, 10000), ('heat_meter', 'cooling', false, 'power_kw_max', 1, 10000),
    ('building_energy', 'electricity', true, 'power_kw_max', 1, 2500), ('building_energy', 'heat', false, 'power_kw_max', 1, 2500),
    ('building_energy', 'cooling', false, 'power_kw_max', 1, 2500), ('streetlight', 'electricity', true, 'power_w_max', 0.001, 2)
) AS k (family, measure, leads, own, scale, most)
JOIN things AS t ON t.family = k.family
JOIN assignments AS a ON a.thing_id = t.thing_id
LEFT JOIN devices AS d ON d.device_id = a.device_id;

-- What only came twice, or was completed by another measure, is no revision.
CREATE OR REPLACE VIEW energy_revisions AS
WITH told AS (
    SELECT 'heat_meter/heat' AS measure, device_id, day, observed_at, heat_total_kwh AS register, quality FROM heat_meter_revisions
    UNION ALL
    SELECT 'heat_meter/cooling', device_id, day, observed_at, cooling_total_kwh, quality FROM heat_meter_revisions
    UNION ALL
    SELECT 'building_energy/electricity', device_id, day, observed_at, electricity_total_kwh, quality FROM building_energy_revisions
    UNION ALL
    SELECT 'building_energy/heat', device_id, day, observed_at, heat_total_kwh, quality FROM building_energy_revisions
    UNION ALL
    SELECT 'building_energy/cooling', device_id, day, observed_at, cooling_total_kwh, quality FROM building_energy_revisions
    UNION ALL
    SELECT 'streetlight/electricity', device_id, day, observed_at, energy_total_kwh, quality FROM streetlight_revisions
)
SELECT measure, device_id, day, observed_at FROM told
GROUP BY measure, device_id, day, observed_at
HAVING min(register) <> max(register) OR min(quality IN (4, 9)) <> max(quality IN (4, 9));

CREATE OR REPLACE VIEW energy_hourly AS
SELECT thing_id, device_id, starts_at, ends_at, amount AS energy_kwh, estimated, split_part(measure, '/', 2) AS measure, step,
    register_before, register_after
FROM register_steps('energy_registers', 'energy_spans', NULL, NULL);

CREATE OR REPLACE VIEW energy_daily AS
WITH energy AS (FROM register_steps('energy_registers', 'energy_spans', NULL, NULL))
SELECT thing_id, local_date, amount AS energy_kwh, estimated, coverage, split_part(measure, '/', 2) AS measure
FROM register_days('energy', NULL, NULL);

-- The rows of energy_daily of the local days first to last, with as few readings as that takes.
CREATE OR REPLACE MACRO energy_days(first, last) AS TABLE
WITH energy AS (FROM register_steps('energy_registers', 'energy_spans', first, last))
SELECT thing_id, local_date, amount AS energy_kwh, estimated, coverage, split_part(measure, '/', 2) AS measure
FROM register_days('energy', first, last);

-- thing_id, wide, first_date, last_date: as consumption_reach, of every register of a thing.
CREATE OR REPLACE MACRO energy_reach(first, last) AS TABLE
FROM register_reach('energy_registers', 'energy_spans', 'energy_revisions', first, last);
