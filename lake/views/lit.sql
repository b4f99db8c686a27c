-- Kilometres of lit road by area and municipality as the register said on the day before each date `ends_on` of the relation.
CREATE OR REPLACE MACRO lit_lengths(dates) AS TABLE
WITH road AS (
    SELECT area_id, length_m, CAST(timezone(m.zone, valid_from) AS DATE) AS since, CAST(timezone(m.zone, valid_to) AS DATE) AS until
    FROM register_roads CROSS JOIN municipality AS m WHERE lit AND length_m > 0
),
lit AS (
    SELECT d.ends_on, r.area_id, sum(CAST(r.length_m AS DECIMAL(18, 3))) / 1000 AS km
    FROM (SELECT DISTINCT ends_on FROM query_table(dates)) AS d
    JOIN road AS r ON r.since < d.ends_on AND (r.until IS NULL OR r.until >= d.ends_on)
    GROUP BY d.ends_on, r.area_id
)
SELECT 'area' AS subject_kind, t.ancestor_id AS subject_id, l.ends_on, sum(l.km) AS km
FROM lit AS l JOIN area_tree AS t ON t.area_id = l.area_id GROUP BY t.ancestor_id, l.ends_on
UNION ALL
SELECT 'municipality', m.name, l.ends_on, sum(l.km) FROM lit AS l CROSS JOIN municipality AS m GROUP BY m.name, l.ends_on;
