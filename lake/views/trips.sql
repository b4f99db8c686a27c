-- Each emptying once for every area that its container stands in, and once for the municipality.
CREATE OR REPLACE VIEW trips AS
WITH trip AS (
    SELECT t.area_id, e.thing_id, e.fill_before, CAST(timezone(m.zone, e.emptied_at) AS DATE) AS local_date, m.name,
        try_cast(json_extract_string(t.attributes, '$.needless_below_pct') AS DOUBLE) AS needless_below
    FROM emptyings AS e JOIN things AS t ON t.thing_id = e.thing_id CROSS JOIN municipality AS m
)
SELECT 'area' AS subject_kind, a.ancestor_id AS subject_id, t.* EXCLUDE (area_id, name)
FROM trip AS t JOIN area_tree AS a ON a.area_id = t.area_id
UNION ALL
SELECT 'municipality', name, * EXCLUDE (area_id, name) FROM trip;
