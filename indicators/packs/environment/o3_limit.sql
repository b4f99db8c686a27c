/*
id = "environment.o3_limit"
kind = "detector"
version = 1
grain = "station"
reads = ["exceeded", "indicator_values", "things", "local_days", "run"]
references = ["Ozone: highest running 8-hour mean of a day 120 ug/m3, not above it on more than 25 days a year, as a mean of three years (Directive 2008/50/EC, as the European Environment Agency states it); stricter limits from 2030 (Directive (EU) 2024/2881) unverified and not used"]
cadence = "night"
refractory_min = 0

[title]
en = "Ozone above its target"
sl = "Ozon nad ciljno vrednostjo"

[meaning]
en = "The highest running 8-hour mean of ozone of a local day with enough valid hours was above 120 µg/m³ at a station. Days in a row are one; a day without a value ends it. An information until the year has more than the directive allows, 25 days (as a mean of three years), then a warning. What a sensor measures is no official measurement."
sl = "Najvišje drseče 8-urno povprečje ozona krajevnega dne z dovolj veljavnimi urami je na postaji preseglo 120 µg/m³. Zaporedni dnevi so en dogodek; konča ga tudi dan brez vrednosti. Obvestilo, dokler jih v letu ni več, kot dovoljuje direktiva, 25 dni (v povprečju treh let), nato opozorilo. Meritev senzorja ni uradna meritev."

[says.what]
en = "Ozone above its target"
sl = "Ozon nad ciljno vrednostjo"

[says.why]
en = "8-hour mean above 120 µg/m³, at most {highest:.0f}; days in a row: {days}. This year so far: {so_far:.0f}, allowed are 25."
sl = "8-urno povprečje nad 120 µg/m³, največ {highest:.0f}; dni zapored: {days}. Letos doslej: {so_far:.0f}, dovoljeno 25."

[says.chart]
en = "highest 8-hour mean of each day, µg/m³"
sl = "najvišje 8-urno povprečje dneva, µg/m³"

[[example]]
title = "Two days in a row in July, and one of which nobody knows whether it was the third"
as_of = 2026-07-20T05:00:00Z
given.things = [{ thing_id = "x", family = "air_quality", area_id = "east", attributes = "{}" }]
given.indicator_values = "SELECT 'environment.o3_8h' AS indicator, 'thing' AS subject_kind, 'x' AS subject_id, d AS period_start, h AS value FROM (VALUES (DATE '2026-07-14', 118.0), (DATE '2026-07-15', 131.0), (DATE '2026-07-16', 124.0), (DATE '2026-07-18', 120.0)) AS v (d, h)"
expect = [{ thing_id = "x", since = 2026-07-14T22:00:00Z, until = 2026-07-16T22:00:00Z, severity = "info", going_on = false }]
*/
FROM exceeded('environment.o3_8h', 120, 25, false, (SELECT today FROM run))
