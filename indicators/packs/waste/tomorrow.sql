/*
id = "waste.tomorrow"
kind = "indicator"
version = 3
unit = "%"
grain = "container, local day on which the list is made"
reads = ["waste_container", "fill_forecast", "assignments", "municipality", "run"]
references = ["Each container's own rate and course of the day of the last seven days, emptyings left out"]
cadence = "hour"
own = true
reach = { before = 8, after = 2 }

[title]
en = "Containers that will be full by tomorrow evening"
sl = "Zabojniki, ki bodo polni do jutri zvečer"

[meaning]
en = "Expected fill at 20:00 local time of the next day of the containers that will then stand at 90 % or more, by their own mean rate of the last seven days (three of them known at least; emptyings and the time at 95 % or more left out) and their own course of the day, from their last reading of the day, or of the day before. A container at 90 % or more stays so where its rate is not known. The numerator is the last fill, the denominator the rate in points a day. The list of tomorrow is that of today's day; waste.tomorrow_low and waste.tomorrow_high lie around it."
sl = "Pričakovana napolnjenost ob 20. uri naslednjega krajevnega dne za zabojnike, ki bodo takrat napolnjeni 90 % ali več, po njihovi povprečni hitrosti zadnjih sedmih dni (vsaj trije znani; brez praznjenj in časa pri 95 % ali več) in lastnem dnevnem poteku, od zadnjega odčitka dneva ali prejšnjega dne. Zabojnik pri 90 % ali več ostane tak, če njegova hitrost ni znana. Števec je zadnja napolnjenost, imenovalec hitrost v točkah na dan. Seznam za jutri je seznam današnjega dne; meji sta waste.tomorrow_low in waste.tomorrow_high."

[[example]]
title = "At noon one container stands at 72 % and gains 24 points a day, the other 3"
as_of = 2026-03-06T11:00:00Z
[example.given]
things = "SELECT 'b' || i AS thing_id, 'waste_container' AS family, 'east' AS area_id, '{}' AS attributes FROM range(2) AS r (i)"
assignments = "SELECT 'd' || i AS device_id, 'b' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
waste_container = """
SELECT 'd' || i AS device_id, t AS observed_at, CASE WHEN i = 0 THEN 1.0 ELSE 0.125 END * date_diff('hour', TIMESTAMPTZ '2026-03-03 11:00:00Z', t) AS fill_pct
FROM range(TIMESTAMPTZ '2026-03-03 11:00:00Z', TIMESTAMPTZ '2026-03-06 12:00:00Z', INTERVAL 1 HOUR) AS r (t), range(2) AS b (i)"""
[[example.expect]]
subject_id = "b0"
period_start = 2026-03-06
value = 104.0
numerator = 72.0
denominator = 24.0

[[example]]
title = "Full for a week, so that nothing is gained: still on the list; so is one that hangs since an hour"
as_of = 2026-03-10T11:00:00Z
given.things = "SELECT 'b' || i AS thing_id, 'waste_container' AS family, 'east' AS area_id, '{}' AS attributes FROM range(2) AS r (i)"
given.assignments = "SELECT 'd' || i AS device_id, 'b' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
given.waste_container = "SELECT 'd' || i AS device_id, t AS observed_at, 98.0 - 5 * i AS fill_pct FROM range(TIMESTAMPTZ '2026-03-10 00:00:00Z', TIMESTAMPTZ '2026-03-10 11:00:00Z', INTERVAL 1 HOUR) AS r (t), range(2) AS b (i) WHERE i = 0 OR hour(t) = 10"
expect = [{ subject_id = "b0", value = 98.0 }, { subject_id = "b1", value = 93.0 }]
*/
SELECT 'thing' AS subject_kind, thing_id AS subject_id, local_date AS period_start, local_date + 1 AS period_end,
    then_pct AS value, fill_pct AS numerator, points_a_day AS denominator, least(1, micros / 604800000000) AS coverage,
    1 AS devices, 1.0 AS estimated_share
FROM fill_forecast
WHERE then_pct >= 90
ORDER BY value DESC, subject_id
