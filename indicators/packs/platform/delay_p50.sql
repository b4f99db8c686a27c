/*
id = "platform.delay_p50"
kind = "indicator"
version = 1
unit = "s"
grain = "family, gateway and town, local day"
reads = ["heard", "devices", "municipality", "run"]
references = ["Delay = received - observed; observed is the start of an interval where a reading has one"]
cadence = "night"
reach = { before = 0, after = 0 }

[title]
en = "Usual delay of readings (median)"
sl = "Običajna zamuda odčitkov (mediana)"

[meaning]
en = "Time from the moment a reading speaks of to the moment it was received, for the readings of a local day: half of them came at least so soon. A reading from the future counts as no delay. The numerator counts the readings that took longer than an hour, the denominator all."
sl = "Čas od trenutka, o katerem odčitek govori, do prejema, za odčitke krajevnega dneva: polovica jih je prišla vsaj tako hitro. Odčitek iz prihodnosti šteje kot brez zamude. Števec šteje odčitke, ki so potovali več kot eno uro, imenovalec vse."

[[example]]
title = "Nineteen readings took a minute, one a day, one has no time of receipt"
as_of = 2026-03-05T12:00:00Z
[example.given]
devices = [{ device_id = "d0", family = "waste_container" }]
waste_container = """
SELECT 'd0' AS device_id, t AS observed_at, 20.0 AS fill_pct,
    CASE WHEN hour(t) < 19 THEN t + INTERVAL 1 MINUTE WHEN hour(t) = 19 THEN t + INTERVAL 1 DAY END AS received_at
FROM range(TIMESTAMPTZ '2026-03-02 00:00:00Z', TIMESTAMPTZ '2026-03-02 21:00:00Z', INTERVAL 1 HOUR) AS r (t)"""
[[example.expect]]
subject_kind = "family"
subject_id = "waste_container"
period_start = 2026-03-02
value = 60.0
numerator = 1.0
denominator = 20.0
[[example.expect]]
subject_kind = "municipality"
subject_id = "town"
value = 60.0
*/
WITH late AS (
    SELECT h.family, d.gateway, h.device_id, CAST(h.observed_at AT TIME ZONE r.zone AS DATE) AS local_date,
        greatest(0, (epoch_us(h.received_at) - epoch_us(h.observed_at)) // 1000000) AS seconds
    FROM heard AS h CROSS JOIN run AS r LEFT JOIN devices AS d ON d.device_id = h.device_id
    WHERE h.received_at IS NOT NULL
)
SELECT CASE WHEN grouping(l.family) = 0 THEN 'family' WHEN grouping(l.gateway) = 0 THEN 'gateway' ELSE 'municipality' END AS subject_kind,
    CASE WHEN grouping(l.family) = 0 THEN l.family WHEN grouping(l.gateway) = 0 THEN l.gateway ELSE any_value(m.name) END AS subject_id,
    l.local_date AS period_start, l.local_date + 1 AS period_end,
    quantile_disc(l.seconds, 0.50) AS value, count(*) FILTER (l.seconds > 3600) AS numerator, count(*) AS denominator,
    1.0 AS coverage, count(DISTINCT l.device_id) AS devices, 0.0 AS estimated_share
FROM late AS l CROSS JOIN municipality AS m CROSS JOIN run AS r
WHERE l.local_date < r.today
GROUP BY GROUPING SETS ((l.local_date, l.family), (l.local_date, l.gateway), (l.local_date))
HAVING grouping(l.gateway) = 1 OR l.gateway IS NOT NULL
ORDER BY subject_kind, subject_id, period_start
