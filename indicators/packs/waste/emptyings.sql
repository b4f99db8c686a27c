/*
id = "waste.emptyings"
kind = "indicator"
version = 1
unit = "{emptying}"
grain = "container, local day"
reads = ["waste_container", "emptyings", "assignments", "local_days", "run"]
references = ["Rule of the view emptyings: the container says so, or its fill falls by ten points and two fifths"]
cadence = "night"
own = true
reach = { before = 2, after = 2 }

[title]
en = "Emptyings of a container"
sl = "Praznjenja zabojnika"

[meaning]
en = "How often a container was emptied on a local day, as its own readings show: it says so, or its fill falls by at least ten points and two fifths of what it was, and the next reading agrees. 0 for a container that was heard and not emptied; coverage is the share of the hours of the day in which it was heard."
sl = "Kolikokrat je bil zabojnik v krajevnem dnevu izpraznjen, kot kažejo njegovi odčitki: sam to sporoči ali pa napolnjenost pade za vsaj deset točk in dve petini prejšnje, kar potrdi naslednji odčitek. 0 za slišan zabojnik, ki ni bil izpraznjen; pokritost je delež ur dneva, v katerih je bil slišan."

[[example]]
title = "Emptied at noon; a single low reading in the evening is none, nor is the settling of waste in the other"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = "SELECT 'b' || i AS thing_id, 'waste_container' AS family, 'east' AS area_id, '{}' AS attributes FROM range(2) AS r (i)"
assignments = "SELECT 'd' || i AS device_id, 'b' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
waste_container = """
SELECT 'd' || i AS device_id, t AS observed_at,
    CASE WHEN i = 1 THEN CASE WHEN hour(t) < 11 THEN 60.0 ELSE 50.0 END WHEN hour(t) = 18 THEN 1.0 WHEN hour(t) < 11 THEN 80.0 ELSE 4.0 + hour(t) END AS fill_pct
FROM range(TIMESTAMPTZ '2026-03-02 00:00:00Z', TIMESTAMPTZ '2026-03-02 23:00:00Z', INTERVAL 1 HOUR) AS r (t), range(2) AS b (i)"""
[[example.expect]]
subject_kind = "thing"
subject_id = "b0"
period_start = 2026-03-02
value = 1.0
[[example.expect]]
subject_id = "b1"
value = 0.0

[[example]]
title = "It says itself that it was emptied, though it was nearly empty; a silent day has no value"
as_of = 2026-03-05T12:00:00Z
[example.given]
things = "SELECT 'b' || i AS thing_id, 'waste_container' AS family, 'east' AS area_id, '{}' AS attributes FROM range(2) AS r (i)"
assignments = "SELECT 'd' || i AS device_id, 'b' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
waste_container = [{ device_id = "d0", observed_at = "2026-03-02T08:00:00Z", fill_pct = 8.0 }, { device_id = "d0", observed_at = "2026-03-02T09:00:00Z", fill_pct = 3.0, emptied_event = true }]
[[example.expect]]
subject_id = "b0"
period_start = 2026-03-02
value = 1.0
coverage = 0.083333333
*/
WITH heard AS (
    SELECT a.thing_id, CAST(w.observed_at AT TIME ZONE r.zone AS DATE) AS local_date,
        count(DISTINCT date_trunc('hour', w.observed_at)) AS hours
    FROM waste_container AS w CROSS JOIN run AS r
    JOIN assignments AS a ON a.device_id = w.device_id AND w.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR w.observed_at < a.valid_to)
    WHERE w.fill_pct IS NOT NULL AND w.quality NOT IN (4, 9)
    GROUP BY a.thing_id, local_date
),
emptied AS (
    SELECT e.thing_id, CAST(e.emptied_at AT TIME ZONE r.zone AS DATE) AS local_date, count(*) AS times
    FROM emptyings AS e CROSS JOIN run AS r GROUP BY e.thing_id, local_date
)
SELECT 'thing' AS subject_kind, h.thing_id AS subject_id, h.local_date AS period_start, h.local_date + 1 AS period_end,
    coalesce(e.times, 0) AS value, coalesce(e.times, 0) AS numerator, 1 AS denominator,
    h.hours / l.hours AS coverage, 1 AS devices, 0.0 AS estimated_share
FROM heard AS h
JOIN local_days AS l ON l.local_date = h.local_date
LEFT JOIN emptied AS e ON e.thing_id = h.thing_id AND e.local_date = h.local_date
CROSS JOIN run AS r
WHERE h.local_date < r.today
ORDER BY subject_id, period_start
