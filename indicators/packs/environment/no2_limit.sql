/*
id = "environment.no2_limit"
kind = "detector"
version = 1
grain = "station"
reads = ["exceeded", "indicator_values", "things", "local_days", "run"]
references = ["NO2: hourly mean of 200 ug/m3, not above it in more than 18 hours a year (Directive 2008/50/EC, as the European Environment Agency states it); stricter limits from 2030 (Directive (EU) 2024/2881) unverified and not used"]
cadence = "night"
refractory_min = 0

[title]
en = "NO2 above its limit"
sl = "NO2 nad mejno vrednostjo"

[meaning]
en = "The mean of NO2 of one or more hours of a local day with enough valid hours was above 200 µg/m³ at a station. Days in a row are one; a day without a value ends it. An information until the year has more than the directive allows, 18 hours, then a warning. What a sensor measures is no official measurement."
sl = "Povprečje NO2 ene ali več ur krajevnega dne z dovolj veljavnimi urami je na postaji preseglo 200 µg/m³. Zaporedni dnevi so en dogodek; konča ga tudi dan brez vrednosti. Obvestilo, dokler jih v letu ni več, kot dovoljuje direktiva, 18 ur, nato opozorilo. Meritev senzorja ni uradna meritev."

[says.what]
en = "NO2 above its limit"
sl = "NO2 nad mejno vrednostjo"

[says.why]
en = "Hourly means above 200 µg/m³, up to {highest:.0f} hours a day; days in a row: {days}. Hours this year so far: {so_far:.0f}, allowed are 18."
sl = "Urna povprečja nad 200 µg/m³, največ ur v dnevu: {highest:.0f}; dni zapored: {days}. Ur letos doslej: {so_far:.0f}, dovoljenih 18."

[says.chart]
en = "hours above the limit, day by day"
sl = "ure nad mejo po dnevih"

[[example]]
title = "Two hours on one day, none on the next, nothing known of the third, 17 hours on the fourth: 19 in the year, one more than allowed"
as_of = 2026-01-02T05:00:00Z
given.things = [{ thing_id = "x", family = "air_quality", area_id = "east", attributes = "{}" }]
given.indicator_values = "SELECT 'environment.no2_hours_above' AS indicator, 'thing' AS subject_kind, 'x' AS subject_id, d AS period_start, h AS value FROM (VALUES (DATE '2025-12-28', 2.0), (DATE '2025-12-29', 0.0), (DATE '2025-12-31', 17.0), (DATE '2026-01-01', 1.0)) AS v (d, h)"
expect = [{ thing_id = "x", since = 2025-12-27T23:00:00Z, until = 2025-12-28T23:00:00Z, severity = "info" }, { since = 2025-12-30T23:00:00Z, severity = "warning", going_on = true }]
*/
FROM exceeded('environment.no2_hours_above', 0, 18, true, (SELECT today FROM run))
