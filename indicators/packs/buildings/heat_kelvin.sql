/*
id = "buildings.heat_kelvin"
kind = "indicator"
version = 1
unit = "kW.h/K"
grain = "building, local day on which it ends"
personal = true
reads = ["heat_lines", "indicator_values", "run"]
needs = ["buildings.heat", "environment.temperature_day"]
references = ["Least squares of daily heat on the mean outdoor temperature over the days of the last 60 below 15 °C, 20 at least (a convention, unverified)"]
cadence = "night"
reach = { before = 60, after = 0 }

[title]
en = "Heat for each degree colder"
sl = "Toplota na stopinjo hladneje"

[meaning]
en = "How many kilowatt-hours a day a building takes more for each degree that it is colder outside: the slope of the line through its own days of the last 60 below 15 °C (temperature as the mean over the weather stations). It compares a building with itself before and after a repair, over winters that are not alike. The numerator is the heat of this day, the denominator the days behind the line; with fewer than 20, on a warmer day, or where heat does not fall with warmth there is no value."
sl = "Koliko kilovatnih ur na dan več porabi stavba za vsako stopinjo, ki je zunaj hladneje: naklon premice skozi njene dni zadnjih 60 pod 15 °C (temperatura je povprečje vremenskih postaj). Z njim se stavba primerja sama s sabo pred prenovo in po njej, tudi če zimi nista enaki. Števec je toplota tega dne, imenovalec dnevi za premico; pri manj kot 20, na toplejši dan ali če toplota s temperaturo ne pada, vrednosti ni."

[[example]]
title = "Two kilowatt-hours a day for each degree; the building known for 19 days has none"
as_of = 2026-01-31T12:00:00Z
[example.given]
indicator_values = """
SELECT 'environment.temperature_day' AS indicator, 'thing' AS subject_kind, 'station' AS subject_id, d::DATE AS period_start, d::DATE + 1 AS period_end, CAST(day(d) % 7 AS DOUBLE) AS value, 1.0 AS coverage
FROM range(TIMESTAMP '2026-01-11', TIMESTAMP '2026-01-31', INTERVAL 1 DAY) AS r (d)
UNION ALL SELECT 'buildings.heat', 'thing', 'x' || i, d::DATE, d::DATE + 1, 2.0 * (15 - day(d) % 7), 1.0
FROM range(TIMESTAMP '2026-01-11', TIMESTAMP '2026-01-31', INTERVAL 1 DAY) AS r (d), range(2) AS x (i) WHERE i = 0 OR day(d) > 11"""
[[example.expect]]
subject_kind = "thing"
subject_id = "x0"
period_start = 2026-01-30
value = 2.0
denominator = 20.0
*/
SELECT 'thing' AS subject_kind, subject_id, local_date AS period_start, local_date + 1 AS period_end,
    round(-slope, 6) AS value, kwh AS numerator, days AS denominator, least(1, days / 60) AS coverage,
    1 AS devices, 1.0 AS estimated_share
FROM heat_lines CROSS JOIN run AS r
WHERE local_date < r.today
ORDER BY subject_id, period_start
