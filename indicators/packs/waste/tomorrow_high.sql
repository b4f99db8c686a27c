/*
id = "waste.tomorrow_high"
kind = "indicator"
version = 2
unit = "%"
grain = "container, local day on which the list is made"
reads = ["waste_container", "fill_forecast", "assignments", "municipality", "run"]
references = ["How far the same forecasts of the 28 days before were off: their 90th percentile"]
cadence = "hour"
reach = { before = 38, after = 2 }

[title]
en = "Containers of tomorrow's list: at most so full"
sl = "Zabojniki na seznamu za jutri: največ toliko polni"

[meaning]
en = "The upper end of the interval around waste.tomorrow that eight of ten evenings are to lie in, between 0 and 100 %: from how far the forecasts of the container in the 28 days before were off where nobody emptied it meanwhile; from those of all containers while its own are fewer than ten. No value where fewer than ten are known at all. Those forecasts were made at the end of a day: an earlier one has an interval that is wider with the root of the days of filling ahead."
sl = "Zgornja meja razpona okoli waste.tomorrow, v katerem naj bi bilo osem od desetih večerov, med 0 in 100 %: iz odstopanj napovedi zabojnika v prejšnjih 28 dneh, če ga vmes niso izpraznili; dokler je teh manj kot deset, iz odstopanj vseh zabojnikov. Če jih je vseh skupaj znanih manj kot deset, vrednosti ni. Te napovedi so s konca dneva: zgodnejša ima razpon, širši s korenom dni polnjenja do takrat."

[[example]]
title = "A point an hour, a twentieth more on one day and less on the next: forecasts are off by about 1 (92.3 is expected)"
as_of = 2026-03-19T22:00:00Z
given.things = [{ thing_id = "b", family = "waste_container", area_id = "east", attributes = "{}" }]
given.assignments = [{ device_id = "d", thing_id = "b", valid_from = "2026-01-01T00:00:00Z" }]
given.waste_container = "SELECT 'd' AS device_id, t AS observed_at, h % 48 * 1.05 - greatest(0, h % 48 - 24) * 0.1 + CASE WHEN h % 96 < 48 THEN 0 ELSE 48 END AS fill_pct FROM (SELECT t, date_diff('hour', TIMESTAMPTZ '2026-02-28 23:00:00Z', t) AS h FROM range(TIMESTAMPTZ '2026-02-28 23:00:00Z', TIMESTAMPTZ '2026-03-19 23:00:00Z', INTERVAL 1 HOUR) AS r (t))"
expect = [{ subject_id = "b", period_start = 2026-03-19, value = 94.381102152 }]
*/
SELECT 'thing' AS subject_kind, thing_id AS subject_id, local_date AS period_start, local_date + 1 AS period_end,
    high_pct AS value, high_pct AS numerator, 1 AS denominator, least(1, micros / 604800000000) AS coverage,
    1 AS devices, 1.0 AS estimated_share
FROM fill_forecast
WHERE then_pct >= 90 AND high_pct IS NOT NULL
ORDER BY subject_id, period_start
