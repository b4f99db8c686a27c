-- What a "share of …" is a share of: objects of the register, and the things whose devices count for them.
--
-- inventory has a row an object and stretch of time; an object may come several times (a building with two connections) and
-- counts once, with its weight (metres of pipe and road, else 1). carriers says which thing of which family, when a device
-- hangs there, makes the object one with telemetry: the thing with the object's own id, or one whose attribute names it.

CREATE OR REPLACE VIEW inventory AS
SELECT 'hydrants' AS register, hydrant_id AS object_id, CAST(1 AS DOUBLE) AS weight, valid_from, valid_to FROM register_hydrants
UNION ALL SELECT 'shafts', shaft_id, 1, valid_from, valid_to FROM register_shafts WHERE coalesce(network, 'water') = 'water'
UNION ALL SELECT 'bins', bin_id, 1, valid_from, valid_to FROM register_bins
UNION ALL SELECT 'waste_sites', waste_site_id, 1, valid_from, valid_to FROM register_waste_sites
UNION ALL SELECT 'luminaires', luminaire_id, 1, valid_from, valid_to FROM register_luminaires
UNION ALL SELECT 'roads', road_id, length_m, valid_from, valid_to FROM register_roads WHERE coalesce(category, 'local') <> 'state'
UNION ALL SELECT 'water_network', network_segment_id, length_m, valid_from, valid_to FROM register_network_segments WHERE network = 'water'
UNION ALL SELECT 'buildings_water', building_id, 1, valid_from, valid_to FROM register_connections WHERE building_id IS NOT NULL
UNION ALL SELECT 'public_buildings_air', building_id, 1, valid_from, valid_to FROM register_buildings WHERE use = 'public'
UNION ALL SELECT s.register, b.building_id, 1, b.valid_from, b.valid_to
    FROM register_buildings AS b CROSS JOIN (VALUES ('buildings_heat'), ('buildings_energy'), ('buildings_metered')) AS s (register);

CREATE OR REPLACE VIEW carriers AS
WITH named AS (
    SELECT thing_id, family, area_id, json_extract_string(attributes, '$.building_id') AS building_id,
        json_extract_string(attributes, '$.road_id') AS road_id
    FROM things
)
SELECT 'hydrants' AS register, thing_id AS object_id, thing_id, family FROM named WHERE family = 'hydrant'
UNION ALL SELECT 'shafts', thing_id, thing_id, family FROM named WHERE family = 'water_shaft'
UNION ALL SELECT 'bins', thing_id, thing_id, family FROM named WHERE family = 'waste_container'
UNION ALL SELECT 'waste_sites', thing_id, thing_id, family FROM named WHERE family = 'waste_container'
UNION ALL SELECT 'waste_sites', b.waste_site_id, t.thing_id, t.family
    FROM register_bins AS b JOIN named AS t ON t.thing_id = b.bin_id AND t.family = 'waste_container'
UNION ALL SELECT 'luminaires', thing_id, thing_id, family FROM named WHERE family = 'streetlight'
UNION ALL SELECT 'roads', coalesce(road_id, thing_id), thing_id, family FROM named WHERE family = 'road_weather'
UNION ALL SELECT 'water_network', s.network_segment_id, t.thing_id, t.family
    FROM register_network_segments AS s JOIN named AS t ON t.area_id = s.area_id AND t.family = 'district_meter'
UNION ALL SELECT 'buildings_water', c.building_id, t.thing_id, t.family
    FROM register_connections AS c JOIN named AS t ON t.thing_id = c.connection_id AND t.family = 'water_meter'
UNION ALL SELECT 'buildings_metered', c.building_id, t.thing_id, t.family
    FROM register_connections AS c JOIN named AS t ON t.thing_id = c.connection_id AND t.family = 'water_meter'
UNION ALL SELECT r.register, coalesce(t.building_id, t.thing_id), t.thing_id, t.family
    FROM named AS t JOIN (VALUES ('buildings_heat', 'heat_meter'), ('buildings_energy', 'building_energy'),
        ('buildings_energy', 'indoor_climate'), ('buildings_metered', 'building_energy'), ('public_buildings_air', 'indoor_climate')
    ) AS r (register, family) ON r.family = t.family;

-- Things that are counted: by family, and boards among traffic counters by their attribute kind.
CREATE OR REPLACE VIEW counted AS
SELECT r.register, t.thing_id, t.family
FROM things AS t JOIN (VALUES ('climate', 'weather'), ('climate', 'air_quality'), ('air_sites', 'air_quality'),
    ('flood', 'river_level'), ('luminaires', 'streetlight')) AS r (register, family) ON r.family = t.family
UNION ALL SELECT 'speed_boards', thing_id, family
FROM things WHERE family = 'traffic_counter' AND json_extract_string(attributes, '$.kind') = 'speed_board';

-- Shares that the register alone knows; holds is null where nobody said.
CREATE OR REPLACE VIEW properties AS
SELECT 'vehicles_electric' AS register, vehicle_id AS object_id, drive IN ('electric', 'hybrid') AS holds, valid_from, valid_to
FROM register_vehicles WHERE fleet = 'municipal'
UNION ALL SELECT 'luminaires_modernised', luminaire_id, modernised, valid_from, valid_to FROM register_luminaires;

-- Local days on which a device gave a good or unjudged reading: what "it reports" is made of.
CREATE OR REPLACE VIEW good_days AS
SELECT DISTINCT family, device_id, local_date(observed_at) AS local_date
FROM (
    SELECT 'hydrant' AS family, device_id, observed_at, quality FROM hydrant
    UNION ALL SELECT 'water_shaft', device_id, observed_at, quality FROM water_shaft
    UNION ALL SELECT 'waste_container', device_id, observed_at, quality FROM waste_container
    UNION ALL SELECT 'streetlight', device_id, observed_at, quality FROM streetlight
    UNION ALL SELECT 'road_weather', device_id, observed_at, quality FROM road_weather
    UNION ALL SELECT 'district_meter', device_id, observed_at, quality FROM district_meter
    UNION ALL SELECT 'water_meter', device_id, observed_at, quality FROM water_meter
    UNION ALL SELECT 'heat_meter', device_id, observed_at, quality FROM heat_meter
    UNION ALL SELECT 'building_energy', device_id, observed_at, quality FROM building_energy
    UNION ALL SELECT 'indoor_climate', device_id, observed_at, quality FROM indoor_climate
    UNION ALL SELECT 'weather', device_id, observed_at, quality FROM weather
    UNION ALL SELECT 'air_quality', device_id, observed_at, quality FROM air_quality
    UNION ALL SELECT 'river_level', device_id, observed_at, quality FROM river_level
    UNION ALL SELECT 'traffic_counter', device_id, observed_at, quality FROM traffic_counter
)
WHERE quality IN (1, 2);
