-- What sensors measure that are like each other, one row a reading and measure, also what the plausibility tests refused. A channel
-- is a lane of a counter. Registers, states and clocks are left out.
CREATE OR REPLACE VIEW measured AS
SELECT 'air_quality' AS family, device_id, '' AS channel, observed_at, quality,
    unnest(['pm25_ugm3', 'pm10_ugm3', 'no2_ugm3', 'o3_ugm3', 'temp_cel', 'rh_pct', 'pressure_hpa']) AS measure,
    unnest([pm25_ugm3, pm10_ugm3, no2_ugm3, o3_ugm3, temp_cel, rh_pct, pressure_hpa]) AS value
FROM air_quality
UNION ALL
SELECT 'weather', device_id, '', observed_at, quality, unnest(['air_temp_cel', 'rh_pct', 'pressure_hpa', 'solar_wm2']),
    unnest([air_temp_cel, rh_pct, pressure_hpa, solar_wm2])
FROM weather
UNION ALL
SELECT 'road_weather', device_id, '', observed_at, quality, unnest(['surface_temp_cel', 'air_temp_cel', 'rh_pct']),
    unnest([surface_temp_cel, air_temp_cel, rh_pct])
FROM road_weather
UNION ALL
SELECT 'indoor_climate', device_id, '', observed_at, quality, unnest(['temp_cel', 'rh_pct', 'co2_ppm', 'pressure_hpa']),
    unnest([temp_cel, rh_pct, co2_ppm, pressure_hpa])
FROM indoor_climate
UNION ALL
SELECT 'noise', device_id, '', observed_at, quality, 'noise_laeq_db', noise_laeq_db FROM noise
UNION ALL
SELECT 'river_level', device_id, '', observed_at, quality, unnest(['level_m', 'water_temp_cel']), unnest([level_m, water_temp_cel])
FROM river_level
UNION ALL
SELECT family, device_id, '', observed_at, quality,
    unnest(['flow_m3h', 'pressure_kpa', 'level_m', 'water_temp_cel', 'ph', 'conductivity_uscm', 'free_chlorine_mgl']),
    unnest([flow_m3h, pressure_kpa, level_m, water_temp_cel, ph, conductivity_uscm, free_chlorine_mgl])
FROM (SELECT 'district_meter' AS family, * FROM district_meter UNION ALL BY NAME SELECT 'water_shaft' AS family, * FROM water_shaft)
UNION ALL
SELECT 'waste_container', device_id, '', observed_at, quality, 'fill_pct', fill_pct FROM waste_container
UNION ALL
SELECT 'traffic_counter', device_id, concat_ws(' ', nullif(lane, ''), nullif(direction, ''), nullif(nullif(vehicle_class, ''), 'all')),
    observed_at, quality, 'count', CAST(count AS DOUBLE)
FROM traffic_counter;
