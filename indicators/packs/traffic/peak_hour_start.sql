/*
id = "traffic.peak_hour_start"
kind = "indicator"
version = 1
unit = "h"
grain = "counter, local day"
reads = ["traffic_counter", "counted_days", "assignments", "expected", "local_days", "municipality", "run"]
references = ["Clock hours; valid day: 90 % of the intervals of the least heard channel (a convention, unverified)"]
cadence = "night"
reach = { before = 0, after = 0 }
own = true

[title]
en = "Start of the peak hour"
sl = "Začetek konične ure"

[meaning]
en = "Local clock hour in which the busiest hour of the day begins at a counter, the first one where several are alike. The numerator is its volume, the denominator that of the day. Only days with 90 % of the intervals of every channel count."
sl = "Krajevna ura, v kateri se na števcu začne najbolj obremenjena ura dneva, prva med enakimi. Števec je njen pretok, imenovalec pretok dneva. Štejejo le dnevi z 90 % intervalov vsakega kanala."

[[example]]
title = "Of two hours with as many vehicles the first"
as_of = 2026-03-03T12:00:00Z
given.assignments = [{ device_id = "d1", thing_id = "bridge", valid_from = "2026-01-01T00:00:00Z" }]
given.traffic_counter = "SELECT 'd1' AS device_id, '1' AS lane, t AS observed_at, CASE WHEN hour(t) IN (7, 15) THEN 30 ELSE 2 END AS count, 900 AS interval_s FROM range(TIMESTAMPTZ '2026-03-01 23:00:00Z', TIMESTAMPTZ '2026-03-02 23:00:00Z', INTERVAL 15 MINUTE) AS r (t)"
expect = [{ subject_id = "bridge", value = 8.0, numerator = 120.0, denominator = 416.0 }]
*/
SELECT 'thing' AS subject_kind, d.thing_id AS subject_id, d.local_date AS period_start, d.local_date + 1 AS period_end, hour(timezone(r.zone, d.busiest_at)) AS value,
    d.busiest AS numerator, d.vehicles AS denominator, least(1, d.coverage) AS coverage, 1 AS devices, 0.0 AS estimated_share
FROM counted_days((SELECT seconds FROM expected WHERE family = 'traffic_counter')) AS d CROSS JOIN run AS r
WHERE d.local_date < r.today AND d.coverage >= 0.9 AND d.vehicles > 0
ORDER BY subject_id, period_start
