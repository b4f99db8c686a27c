-- The water balance (IWA terms) of each area and of the town on each local day, from the stored indicators water.inflow,
-- water.consumption_area and water.consumption_billed.
--
--   system input = authorised consumption (billed + unbilled, as metered) + water losses; non-revenue = input - billed
--
-- The town is the sum of the areas that lie in no other area with district meters of its own, on days on which all of them
-- have a balance: so water that one district hands to the next is counted once. No row where less than three quarters of the
-- inflow, or of the connections' time, were measured.
CREATE OR REPLACE VIEW water_balance AS
WITH term AS (
    SELECT subject_id AS area_id, period_start AS local_date,
        any_value(CAST(value AS DECIMAL(18, 6))) FILTER (indicator = 'water.inflow') AS input_m3,
        any_value(CAST(value AS DECIMAL(18, 6))) FILTER (indicator = 'water.consumption_area') AS metered_m3,
        any_value(CAST(value AS DECIMAL(18, 6))) FILTER (indicator = 'water.consumption_billed') AS billed_m3,
        any_value(denominator) FILTER (indicator = 'water.consumption_area') AS connections,
        min(coverage) AS coverage,
        sum(devices) FILTER (indicator <> 'water.consumption_billed') AS devices,
        sum(value * estimated_share) FILTER (indicator <> 'water.consumption_billed') AS estimated_m3
    FROM indicator_values
    WHERE indicator IN ('water.inflow', 'water.consumption_area', 'water.consumption_billed') AND subject_kind = 'area'
        AND value IS NOT NULL
    GROUP BY subject_id, period_start
),
fed AS (  -- areas with district meters, and whether they lie in another one that has some
    SELECT m.area_id, bool_or(t.ancestor_id IS NOT NULL) AS inside
    FROM (SELECT DISTINCT area_id FROM inflow_meters) AS m
    LEFT JOIN area_tree AS t ON t.area_id = m.area_id AND t.ancestor_id <> m.area_id
        AND t.ancestor_id IN (SELECT area_id FROM inflow_meters)
    GROUP BY m.area_id
),
area AS (
    SELECT t.*, coalesce(NOT f.inside, false) AS outermost
    FROM term AS t LEFT JOIN fed AS f ON f.area_id = t.area_id
    WHERE t.input_m3 IS NOT NULL AND t.metered_m3 IS NOT NULL AND t.billed_m3 IS NOT NULL AND t.coverage >= 0.75
),
town AS (
    SELECT a.local_date, sum(a.input_m3) AS input_m3, sum(a.metered_m3) AS metered_m3, sum(a.billed_m3) AS billed_m3,
        sum(a.connections) AS connections, min(a.coverage) AS coverage, sum(a.devices) AS devices,
        sum(a.estimated_m3) AS estimated_m3
    FROM area AS a WHERE a.outermost
    GROUP BY a.local_date
    HAVING count(*) = (SELECT count(*) FROM fed WHERE NOT inside)
),
place AS (
    SELECT 'area' AS subject_kind, area_id AS subject_id, * EXCLUDE (area_id, outermost) FROM area
    UNION ALL BY NAME
    SELECT 'municipality' AS subject_kind, m.name AS subject_id, t.* FROM town AS t CROSS JOIN municipality AS m
)
SELECT subject_kind, subject_id, local_date, input_m3, metered_m3, billed_m3, metered_m3 - billed_m3 AS unbilled_m3,
    input_m3 - metered_m3 AS losses_m3, input_m3 - billed_m3 AS non_revenue_m3, connections, coverage, devices,
    coalesce(estimated_m3 / nullif(input_m3 + metered_m3, 0), 0) AS estimated_share
FROM place;
