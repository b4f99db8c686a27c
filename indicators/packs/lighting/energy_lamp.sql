/*
id = "lighting.energy_lamp"
kind = "indicator"
version = 1
unit = "kW.h"
grain = "area and town, local day"
reads = ["indicator_values"]
needs = ["lighting.energy"]
cadence = "night"
reach = { before = 0, after = 0 }

[title]
en = "Energy per luminaire"
sl = "Energija na svetilko"

[meaning]
en = "Energy of street lighting on a local day over the luminaires whose registers told it."
sl = "Energija javne razsvetljave v krajevnem dnevu na svetilko, katere števec jo je povedal."

[[example]]
title = "12 kWh of 40 luminaires"
as_of = 2026-03-03T12:00:00Z
[example.given]
indicator_values = [{ indicator = "lighting.energy", subject_kind = "area", subject_id = "east", period_start = "2026-03-02", period_end = "2026-03-03", value = 12.0, denominator = 40.0, coverage = 0.8, devices = 40, estimated_share = 0.0 }]
[[example.expect]]
subject_kind = "area"
subject_id = "east"
period_start = 2026-03-02
value = 0.3
denominator = 40.0
coverage = 0.8

[[example]]
title = "No luminaire told: no value"
as_of = 2026-03-03T12:00:00Z
[example.given]
indicator_values = [{ indicator = "lighting.energy", subject_kind = "area", subject_id = "east", period_start = "2026-03-02", period_end = "2026-03-03", value = 0.0, denominator = 0.0, coverage = 0.0, devices = 0 }]
*/
SELECT subject_kind, subject_id, period_start, period_end, value / denominator AS value, value AS numerator, denominator,
    coverage, devices, estimated_share
FROM indicator_values
WHERE indicator = 'lighting.energy' AND value IS NOT NULL AND denominator > 0
ORDER BY subject_kind, subject_id, period_start
