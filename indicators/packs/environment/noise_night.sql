/*
id = "environment.noise_night"
kind = "indicator"
version = 1
unit = "dB[SPL]"
grain = "station, local day"
reads = ["noise_parts", "run"]
references = ["Energy mean; day 6 to 18, evening 18 to 22, night 22 to 6 o'clock (Slovenian decree on limits of environmental noise, as published summaries state it)", "75 % of the part of the day: a convention, unverified"]
cadence = "night"
own = true
reach = { before = 0, after = 1 }

[title]
en = "Noise by night"
sl = "Nočni hrup (Lnoč)"

[meaning]
en = "Energy mean of the A-weighted levels of the night (22:00 to 6:00 local time). A night belongs to the day on which it begins; below three quarters of the night there is no value. Levels are those of the sensor, no model."
sl = "Energijsko povprečje A-vrednotenih ravni v noči (22:00–6:00 po krajevnem času). Noč spada k dnevu, v katerem se začne; pod tremi četrtinami vrednosti ni. Ravni so s senzorja, brez modela."

[[example]]
title = "The night in which clocks go forward has seven hours"
as_of = 2026-03-30T12:00:00Z
[example.given]
assignments = [{ device_id = "d1", thing_id = "x", valid_from = "2024-01-01T00:00:00Z" }]
noise = """
SELECT 'd1' AS device_id, t AS observed_at, 45.0 AS noise_laeq_db
FROM range(TIMESTAMPTZ '2026-03-28 21:00:00Z', TIMESTAMPTZ '2026-03-29 04:00:00Z', INTERVAL 15 MINUTE) AS r (t)"""
[[example.expect]]
period_start = 2026-03-28
value = 45.0
coverage = 1.0
*/
SELECT 'thing' AS subject_kind, n.thing_id AS subject_id, n.local_date AS period_start, n.local_date + 1 AS period_end,
    n.level_db AS value, n.level_db AS numerator, 1 AS denominator, n.coverage, 1 AS devices, 0.0 AS estimated_share
FROM noise_parts AS n CROSS JOIN run AS r
WHERE n.part = 'night' AND (n.local_date + INTERVAL 30 HOUR) AT TIME ZONE r.zone <= r.as_of AND n.coverage >= 0.75
ORDER BY subject_id, period_start
