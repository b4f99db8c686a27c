/*
id = "platform.delay_p95"
kind = "indicator"
version = 1
unit = "s"
grain = "family, gateway and town, local day"
reads = ["heard", "delay_days", "devices", "municipality", "run"]
references = ["Delay = received - observed; observed is the start of an interval where a reading has one"]
cadence = "night"
reach = { before = 0, after = 0 }

[title]
en = "Delay of late readings (95th percentile)"
sl = "Zamuda poznih odčitkov (95. percentil)"

[meaning]
en = "Time from the moment a reading speaks of to the moment it was received, for the readings of a local day: 95 % of them came at least so soon. A reading from the future counts as no delay. The numerator counts the readings that took longer than an hour, the denominator all."
sl = "Čas od trenutka, o katerem odčitek govori, do prejema, za odčitke krajevnega dneva: 95 % jih je prišla vsaj tako hitro. Odčitek iz prihodnosti šteje kot brez zamude. Števec šteje odčitke, ki so potovali več kot eno uro, imenovalec vse."

[[example]]
title = "One of ten readings took a day"
as_of = 2026-03-05T12:00:00Z
given.devices = [{ device_id = "d0", family = "weather" }]
given.weather = "SELECT 'd0' AS device_id, t AS observed_at, 20.0 AS air_temp_cel, t + CASE hour(t) WHEN 9 THEN INTERVAL 1 DAY ELSE INTERVAL 1 MINUTE END AS received_at FROM range(TIMESTAMPTZ '2026-03-02 00:00:00Z', TIMESTAMPTZ '2026-03-02 10:00:00Z', INTERVAL 1 HOUR) AS r (t)"
expect = [{ subject_kind = "family", subject_id = "weather", value = 86400.0, numerator = 1.0 }, { subject_kind = "municipality", value = 86400.0 }]
*/
SELECT d.subject_kind, d.subject_id, d.local_date AS period_start, d.local_date + 1 AS period_end, d.seconds AS value,
    d.over_an_hour AS numerator, d.readings AS denominator, 1.0 AS coverage, d.devices, 0.0 AS estimated_share
FROM delay_days('heard', 0.95) AS d CROSS JOIN run AS r WHERE d.local_date < r.today
ORDER BY subject_kind, subject_id, period_start
