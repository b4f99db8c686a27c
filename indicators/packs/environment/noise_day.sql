/*
id = "environment.noise_day"
kind = "indicator"
version = 1
unit = "dB[SPL]"
grain = "station, local day"
reads = ["noise_parts", "run"]
references = ["Energy mean; day 6 to 18, evening 18 to 22, night 22 to 6 o'clock (Slovenian decree on limits of environmental noise, as published summaries state it)", "75 % of the part of the day: a convention, unverified"]
cadence = "night"
own = true
reach = { before = 0, after = 0 }

[title]
en = "Noise by day"
sl = "Dnevni hrup (Ldan)"

[meaning]
en = "Energy mean of the A-weighted levels of the day (6:00 to 18:00 local time). A night belongs to the day on which it begins; below three quarters of the day there is no value. Levels are those of the sensor, no model."
sl = "Energijsko povprečje A-vrednotenih ravni v dnevu (6:00–18:00 po krajevnem času). Noč spada k dnevu, v katerem se začne; pod tremi četrtinami vrednosti ni. Ravni so s senzorja, brez modela."

[[example]]
title = "Half of the time 60 dB, half 50 dB: the energy decides; the sensor of another place is silent for half of it"
as_of = 2026-03-04T12:00:00Z
[example.given]
assignments = "SELECT 'd' || i AS device_id, 'x' || i AS thing_id, TIMESTAMPTZ '2024-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
noise = """
SELECT 'd' || i AS device_id, t AS observed_at, CASE WHEN minute(t) < 30 THEN 60.0 ELSE 50.0 END AS noise_laeq_db
FROM range(TIMESTAMPTZ '2026-03-02 05:00:00Z', TIMESTAMPTZ '2026-03-03 05:00:00Z', INTERVAL 15 MINUTE) AS r (t), range(2) AS d (i)
WHERE i = 0 OR hour(t) % 2 = 0"""
[[example.expect]]
subject_kind = "thing"
subject_id = "x0"
period_start = 2026-03-02
value = 57.403626895
coverage = 1.0
*/
SELECT 'thing' AS subject_kind, n.thing_id AS subject_id, n.local_date AS period_start, n.local_date + 1 AS period_end,
    n.level_db AS value, n.level_db AS numerator, 1 AS denominator, n.coverage, 1 AS devices, 0.0 AS estimated_share
FROM noise_parts AS n CROSS JOIN run AS r
WHERE n.part = 'day' AND n.local_date < r.today AND n.coverage >= 0.75
ORDER BY subject_id, period_start
