-- When each waste container was emptied, from its own readings: it says so (emptied_event), or its fill falls by at least ten
-- points and two fifths of what it was, and the next reading agrees. What follows within three hours is the same emptying.
-- fill_before is the highest reading of the three hours before: waste moves when a lorry lifts it. A fall over more than 26
-- hours without a reading is an emptying whose time is not known better.
CREATE OR REPLACE VIEW emptyings AS
WITH reading AS (
    SELECT a.thing_id, w.device_id, w.observed_at, w.fill_pct, coalesce(w.emptied_event, false) AS told,
        lag(w.fill_pct) OVER v AS before, lead(w.fill_pct) OVER v AS next,
        max(w.fill_pct) OVER (v RANGE BETWEEN INTERVAL 3 HOUR PRECEDING AND INTERVAL 1 MICROSECOND PRECEDING) AS highest
    FROM waste_container AS w
    JOIN assignments AS a ON a.device_id = w.device_id AND w.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR w.observed_at < a.valid_to)
    WHERE w.fill_pct IS NOT NULL AND w.quality NOT IN (4, 9)
    WINDOW v AS (PARTITION BY a.thing_id, w.device_id, a.valid_from ORDER BY w.observed_at)
),
fall AS (
    SELECT *, observed_at - INTERVAL 3 HOUR <= lag(observed_at) OVER (PARTITION BY thing_id ORDER BY observed_at) AS again
    FROM reading
    WHERE before IS NOT NULL
        AND (told OR before - fill_pct >= greatest(10, 0.4 * before) AND coalesce(next <= (before + fill_pct) / 2, true))
)
SELECT thing_id, device_id, observed_at AS emptied_at, greatest(before, highest) AS fill_before, fill_pct AS fill_after, told
FROM fall WHERE NOT coalesce(again, false);
