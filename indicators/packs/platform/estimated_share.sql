/*
id = "platform.estimated_share"
kind = "indicator"
version = 1
unit = "%"
grain = "indicator, local day"
reads = ["indicator_values"]
needs = ["water.consumption_connection", "water.consumption_area", "water.inflow", "water.night_use", "lighting.energy"]
references = ["Estimated: interpolated to midnight, or filled where a device was silent"]
cadence = "night"
reach = { before = 0, after = 0 }

[title]
en = "Estimated share of quantities"
sl = "Delež ocen v količinah"

[meaning]
en = "How much of the quantities of a local day was estimated and not measured, for each indicator that sums registers: the estimated amount over the amount. Where the amounts sum to nothing there is no value."
sl = "Kolikšen del količin krajevnega dneva je bil ocenjen in ne izmerjen, za vsak kazalnik, ki sešteva stanja števcev: ocenjena količina glede na vso. Kjer je vsota nič, vrednosti ni."

[[example]]
title = "One connection of three was interpolated; a day without consumption has no value"
as_of = 2026-03-04T12:00:00Z
[example.given]
indicator_values = """
SELECT 'water.consumption_connection' AS indicator, 'thing' AS subject_kind, 'h' || i AS subject_id, DATE '2026-03-02' + d AS period_start,
    DATE '2026-03-03' + d AS period_end, CASE WHEN d = 0 THEN 0.5 ELSE 0.0 END AS value, 1.0 AS coverage, 1 AS devices, CASE WHEN i = 2 THEN 1.0 ELSE 0.0 END AS estimated_share
FROM range(3) AS r (i), (VALUES (0), (1)) AS x (d)"""
[[example.expect]]
subject_kind = "indicator"
subject_id = "water.consumption_connection"
period_start = 2026-03-02
value = 33.333333333
numerator = 0.5
denominator = 1.5
devices = 3
*/
WITH amount AS (
    SELECT indicator, period_start, CAST(abs(value) AS DECIMAL(24, 9)) AS amount,
        CAST(abs(value) * estimated_share AS DECIMAL(24, 9)) AS estimated, devices, coverage
    FROM indicator_values
    WHERE value IS NOT NULL AND subject_kind <> 'municipality' AND indicator IN ('water.consumption_connection',
        'water.consumption_area', 'water.inflow', 'water.night_use', 'lighting.energy')
)
SELECT 'indicator' AS subject_kind, indicator AS subject_id, period_start, period_start + 1 AS period_end,
    100 * sum(estimated) / sum(amount) AS value, sum(estimated) AS numerator, sum(amount) AS denominator,
    CAST(avg(CAST(coverage AS DECIMAL(18, 9))) AS DOUBLE) AS coverage, CAST(sum(devices) AS BIGINT) AS devices,
    CAST(sum(estimated) AS DOUBLE) / sum(amount) AS estimated_share
FROM amount
GROUP BY indicator, period_start
HAVING sum(amount) > 0
ORDER BY subject_id, period_start
