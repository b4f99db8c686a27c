/*
id = "platform.gateways_heard"
kind = "indicator"
version = 1
unit = "%"
grain = "town, local day"
reads = ["indicator_values", "devices", "municipality"]
needs = ["platform.completeness_device"]
cadence = "night"
reach = { before = 0, after = 0 }

[title]
en = "Gateways that report"
sl = "Prehodi, ki poročajo"

[meaning]
en = "Share of the gateways with devices in service behind which at least one device was heard on a local day. Denominator: the gateways; a town whose devices name none has no value."
sl = "Delež prehodov z napravami v obratovanju, za katerimi je bila v krajevnem dnevu slišana vsaj ena naprava. Imenovalec so prehodi; občina, katere naprave nobenega ne navajajo, nima vrednosti."

[[example]]
title = "Two gateways, one is off; a device without a gateway does not count"
as_of = 2026-03-03T12:00:00Z
[example.given]
devices = "SELECT 'd' || i AS device_id, 'hydrant' AS family, CASE WHEN i < 4 THEN 'gw' || (i // 2) END AS gateway FROM range(5) AS r (i)"
indicator_values = """
SELECT 'platform.completeness_device' AS indicator, 'device' AS subject_kind, 'd' || i AS subject_id, DATE '2026-03-02' AS period_start,
    DATE '2026-03-03' AS period_end, CASE WHEN i > 2 THEN 0.0 WHEN i = 2 THEN 0.0 ELSE 100.0 END AS value, CASE WHEN i >= 2 THEN 0.0 ELSE 24.0 END AS numerator,
    24.0 AS denominator FROM range(5) AS r (i)"""
[[example.expect]]
subject_kind = "municipality"
subject_id = "town"
period_start = 2026-03-02
value = 50.0
numerator = 1.0
denominator = 2.0
devices = 4
*/
WITH gateway AS (
    SELECT d.gateway, v.period_start, bool_or(v.numerator > 0) AS heard, count(*) AS devices
    FROM indicator_values AS v JOIN devices AS d ON d.device_id = v.subject_id AND d.gateway IS NOT NULL
    WHERE v.indicator = 'platform.completeness_device' AND v.value IS NOT NULL
    GROUP BY d.gateway, v.period_start
)
SELECT 'municipality' AS subject_kind, m.name AS subject_id, g.period_start, g.period_start + 1 AS period_end,
    100.0 * count(*) FILTER (g.heard) / count(*) AS value, count(*) FILTER (g.heard) AS numerator, count(*) AS denominator,
    1.0 AS coverage, CAST(sum(g.devices) AS BIGINT) AS devices, 0.0 AS estimated_share
FROM gateway AS g CROSS JOIN municipality AS m
GROUP BY m.name, g.period_start
ORDER BY period_start
