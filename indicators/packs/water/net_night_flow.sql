/*
id = "water.net_night_flow"
kind = "indicator"
version = 1
unit = "m3/h"
grain = "area, local day"
reads = ["indicator_values", "run"]
needs = ["water.night_flow", "water.night_use"]
references = ["Net night flow = minimum night flow - legitimate night use, as metered"]
cadence = "night"
reach = { before = 0, after = 0 }

[title]
en = "Net night flow"
sl = "Neto nočni pretok"

[meaning]
en = "Night inflow of a district (02:00-04:00) minus what its connections drew then: what is left is leakage and unmetered use. The denominator is the inflow; there is no value where one of the two has none."
sl = "Nočni dotok območja (od 2. do 4. ure) minus takratna poraba na priključkih: kar ostane, je puščanje in neizmerjena poraba. Imenovalec je dotok; vrednosti ni, če ena od obeh manjka."

[[example]]
title = "5 m3/h flow in, 0.8 are used; the west has no night use"
as_of = 2026-03-02T12:00:00Z
[example.given]
indicator_values = """
SELECT 'water.' || n AS indicator, 'area' AS subject_kind, a AS subject_id, DATE '2026-03-02' AS period_start, DATE '2026-03-03' AS period_end,
    v AS value, c AS coverage, d AS devices, e AS estimated_share
FROM (VALUES ('night_flow', 'east', 5.0, 1.0, 1, 0.0), ('night_use', 'east', 0.8, 0.9, 90, 0.1), ('night_flow', 'west', 3.0, 1.0, 1, 0.0)) AS x (n, a, v, c, d, e)"""
[[example.expect]]
subject_kind = "area"
subject_id = "east"
period_start = 2026-03-02
value = 4.2
denominator = 5.0
coverage = 0.9
devices = 91
*/
SELECT i.subject_kind, i.subject_id, i.period_start, i.period_end, i.value - u.value AS value, i.value - u.value AS numerator,
    i.value AS denominator, least(i.coverage, u.coverage) AS coverage, i.devices + u.devices AS devices,
    (i.value * i.estimated_share + u.value * u.estimated_share) / nullif(i.value + u.value, 0) AS estimated_share
FROM indicator_values AS i
JOIN indicator_values AS u ON u.indicator = 'water.night_use' AND u.subject_kind = i.subject_kind
    AND u.subject_id = i.subject_id AND u.period_start = i.period_start AND u.value IS NOT NULL
WHERE i.indicator = 'water.night_flow' AND i.value IS NOT NULL
ORDER BY subject_id, period_start
