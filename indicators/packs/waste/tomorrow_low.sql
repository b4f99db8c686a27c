/*
id = "waste.tomorrow_low"
kind = "indicator"
version = 2
unit = "%"
grain = "container, local day on which the list is made"
reads = ["waste_container", "fill_forecast", "assignments", "municipality", "run"]
references = ["How far the same forecasts of the 28 days before were off: their 10th percentile"]
cadence = "hour"
reach = { before = 38, after = 2 }

[title]
en = "Containers of tomorrow's list: at least so full"
sl = "Zabojniki na seznamu za jutri: vsaj toliko polni"

[meaning]
en = "The lower end of the interval around waste.tomorrow that eight of ten evenings are to lie in, between 0 and 100 %: from how far the forecasts of the container in the 28 days before were off where nobody emptied it meanwhile; from those of all containers while its own are fewer than ten. No value where fewer than ten are known at all. Those forecasts were made at the end of a day: an earlier one has an interval that is wider with the root of the days of filling ahead."
sl = "Spodnja meja razpona okoli waste.tomorrow, v katerem naj bi bilo osem od desetih večerov, med 0 in 100 %: iz odstopanj napovedi zabojnika v prejšnjih 28 dneh, če ga vmes niso izpraznili; dokler je teh manj kot deset, iz odstopanj vseh zabojnikov. Če jih je vseh skupaj znanih manj kot deset, vrednosti ni. Te napovedi so s konca dneva: zgodnejša ima razpon, širši s korenom dni polnjenja do takrat."

[[example]]
title = "It fills by 36 points on one day and by 12 on the next, so forecasts are off by up to 12 both ways; known from the tenth forecast on"
as_of = 2026-03-21T22:00:00Z
[example.given]
things = [{ thing_id = "b", family = "waste_container", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "d", thing_id = "b", valid_from = "2026-01-01T00:00:00Z" }]
waste_container = """
SELECT 'd' AS device_id, t AS observed_at, h % 48 * 1.5 - CASE WHEN h % 48 > 24 THEN h % 48 - 24 ELSE 0 END + CASE WHEN h >= 480 THEN 48 WHEN h % 96 < 48 THEN 0 ELSE 48 END AS fill_pct
FROM (SELECT t, date_diff('hour', TIMESTAMPTZ '2026-02-28 23:00:00Z', t) AS h FROM range(TIMESTAMPTZ '2026-02-28 23:00:00Z', TIMESTAMPTZ '2026-03-21 22:00:00Z', INTERVAL 1 HOUR) AS r (t))"""
[[example.expect]]
subject_id = "b"
period_start = 2026-03-19
value = 88.19426947
[[example.expect]]
subject_id = "b"
period_start = 2026-03-20
value = 88.279082074
[[example.expect]]
subject_id = "b"
period_start = 2026-03-21
value = 88.067489186
*/
SELECT 'thing' AS subject_kind, thing_id AS subject_id, local_date AS period_start, local_date + 1 AS period_end,
    low_pct AS value, low_pct AS numerator, 1 AS denominator, least(1, micros / 604800000000) AS coverage,
    1 AS devices, 1.0 AS estimated_share
FROM fill_forecast
WHERE then_pct >= 90 AND low_pct IS NOT NULL
ORDER BY subject_id, period_start
