-- Each area with itself and with every area that it lies in: a question to a zone includes the districts in it.
-- A circle of parents ends after sixteen steps.
CREATE OR REPLACE VIEW area_tree AS
WITH RECURSIVE tree (area_id, ancestor_id, steps) AS (
    SELECT area_id, area_id, 0 FROM areas
    UNION ALL
    SELECT t.area_id, a.parent_id, t.steps + 1
    FROM tree AS t JOIN areas AS a ON a.area_id = t.ancestor_id
    WHERE a.parent_id IS NOT NULL AND a.parent_id <> t.area_id AND t.steps < 16
)
SELECT DISTINCT area_id, ancestor_id FROM tree
UNION
SELECT DISTINCT area_id, area_id FROM things WHERE area_id IS NOT NULL;
