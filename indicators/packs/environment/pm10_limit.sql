/*
id = "environment.pm10_limit"
kind = "detector"
version = 1
grain = "station"
reads = ["exceeded", "indicator_values", "things", "local_days", "run"]
references = ["PM10: daily mean of 50 ug/m3, not above it on more than 35 days a year (Directive 2008/50/EC, as the European Environment Agency states it); stricter limits from 2030 (Directive (EU) 2024/2881) unverified and not used"]
cadence = "night"
refractory_min = 0

[title]
en = "PM10 above its limit"
sl = "PM10 nad mejno vrednostjo"

[meaning]
en = "The mean of PM10 of a local day with enough valid hours was above 50 µg/m³ at a station. Days in a row are one; a day without a value ends it. An information until the year has more than the directive allows, 35 days, then a warning. What a sensor measures is no official measurement."
sl = "Povprečje PM10 krajevnega dne z dovolj veljavnimi urami je na postaji preseglo 50 µg/m³. Zaporedni dnevi so en dogodek; konča ga tudi dan brez vrednosti. Obvestilo, dokler jih v letu ni več, kot dovoljuje direktiva, 35 dni, nato opozorilo. Meritev senzorja ni uradna meritev."

[says.what]
en = "PM10 above its limit"
sl = "PM10 nad mejno vrednostjo"

[says.why]
en = "Daily mean above 50 µg/m³, at most {highest:.0f}; days in a row: {days}. This year so far: {so_far:.0f}, allowed are 35."
sl = "Dnevno povprečje nad 50 µg/m³, največ {highest:.0f}; dni zapored: {days}. Letos doslej: {so_far:.0f}, dovoljeno 35."

[says.chart]
en = "daily means, µg/m³"
sl = "dnevna povprečja, µg/m³"

[[example]]
title = "Three days, the last of them yesterday, after 34 in January and February: more than 35; at the limit is not above it"
as_of = 2026-03-30T05:00:00Z
given.things = [{ thing_id = "x", family = "air_quality", area_id = "east", attributes = "{}" }]
given.indicator_values = "SELECT 'environment.pm10_day' AS indicator, 'thing' AS subject_kind, 'x' AS subject_id, d::DATE AS period_start, CASE WHEN d < TIMESTAMP '2026-02-04' OR d >= TIMESTAMP '2026-03-27' THEN 51.0 ELSE 50.0 END AS value FROM range(TIMESTAMP '2026-01-01', TIMESTAMP '2026-03-30', INTERVAL 1 DAY) AS r (d)"
expect = [{ thing_id = "x", since = 2026-03-26T23:00:00Z, severity = "warning", going_on = true }]
*/
FROM exceeded('environment.pm10_day', 50, 35, false, (SELECT today FROM run))
