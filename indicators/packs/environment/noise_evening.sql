/*
id = "environment.noise_evening"
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
en = "Noise in the evening"
sl = "Večerni hrup (Lvečer)"

[meaning]
en = "Energy mean of the A-weighted levels of the evening (18:00 to 22:00 local time). A night belongs to the day on which it begins; below three quarters of the evening there is no value. Levels are those of the sensor, no model."
sl = "Energijsko povprečje A-vrednotenih ravni v večeru (18:00–22:00 po krajevnem času). Noč spada k dnevu, v katerem se začne; pod tremi četrtinami vrednosti ni. Ravni so s senzorja, brez modela."

[[example]]
title = "An hour of 60 dB in a quiet evening: the energy decides"
as_of = 2026-03-04T12:00:00Z
given.assignments = [{ device_id = "d1", thing_id = "x", valid_from = "2024-01-01T00:00:00Z" }]
given.noise = "SELECT 'd1' AS device_id, t AS observed_at, CASE WHEN hour(t) = 19 THEN 60.0 ELSE 40.0 END AS noise_laeq_db FROM range(TIMESTAMPTZ '2026-03-02 17:00:00Z', TIMESTAMPTZ '2026-03-02 21:00:00Z', INTERVAL 15 MINUTE) AS r (t)"
expect = [{ subject_id = "x", period_start = 2026-03-02, value = 54.107772334, coverage = 1.0 }]
*/
SELECT 'thing' AS subject_kind, n.thing_id AS subject_id, n.local_date AS period_start, n.local_date + 1 AS period_end,
    n.level_db AS value, n.level_db AS numerator, 1 AS denominator, n.coverage, 1 AS devices, 0.0 AS estimated_share
FROM noise_parts AS n CROSS JOIN run AS r
WHERE n.part = 'evening' AND n.local_date < r.today AND n.coverage >= 0.75
ORDER BY subject_id, period_start
