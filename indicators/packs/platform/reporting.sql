/*
id = "platform.reporting"
kind = "indicator"
version = 2
unit = "%"
grain = "family, area, gateway and town, local day"
reads = ["told_devices", "indicator_values", "devices", "assignments", "things", "area_tree", "local_days", "municipality"]
needs = ["platform.completeness_device"]
references = ["Installed and reporting side by side: the denominator is installed, the numerator reports"]
cadence = "night"
reach = { before = 0, after = 0 }

[title]
en = "Reporting share"
sl = "Delež naprav, ki poročajo"

[meaning]
en = "Share of the devices in service of a family, an area, a gateway or the town that were heard at least once on a local day. The denominator is what is installed, the numerator what reports: a dead device is installed and reports nothing."
sl = "Delež naprav v obratovanju ene družine, območja, prehoda ali mesta, ki so bile v krajevnem dnevu slišane vsaj enkrat. Imenovalec so nameščene, števec tiste, ki poročajo: mrtva naprava je nameščena, a ne poroča."

[[example]]
title = "One of two containers is heard, once; the gateway stands before the other"
as_of = 2026-03-03T12:00:00Z
given.devices = "SELECT 'd' || i AS device_id, 'waste_container' AS family, CASE WHEN i = 1 THEN 'gw' END AS gateway FROM range(2) AS r (i)"
given.indicator_values = "SELECT 'platform.completeness_device' AS indicator, 'device' AS subject_kind, 'd' || i AS subject_id, DATE '2026-03-02' AS period_start, 4.0 * (1 - i) AS value, 1.0 - i AS numerator, 24.0 AS denominator FROM range(2) AS r (i)"
expect = [{ subject_kind = "family", value = 50.0, devices = 2 }, { subject_kind = "gateway", subject_id = "gw", value = 0.0 }, { subject_kind = "municipality", value = 50.0, denominator = 2.0 }]
*/
SELECT subject_kind, subject_id, local_date AS period_start, local_date + 1 AS period_end, 100.0 * count(*) FILTER (heard > 0) / count(*) AS value,
    count(*) FILTER (heard > 0) AS numerator, count(*) AS denominator, 1.0 AS coverage, count(*) AS devices, 0.0 AS estimated_share
FROM told_devices GROUP BY subject_kind, subject_id, local_date
ORDER BY subject_kind, subject_id, period_start
