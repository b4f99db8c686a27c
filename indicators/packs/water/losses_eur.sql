/*
id = "water.losses_eur"
kind = "indicator"
version = 1
unit = "EUR"
grain = "area and town, local day"
reads = ["water_balance", "inflow_meters", "area_tree", "municipality", "indicator_values", "run"]
needs = ["water.inflow", "water.consumption_area", "water.consumption_billed"]
references = ["IWA water balance: water losses; price: prices.water_eur_m3 of the settings"]
cadence = "night"
reach = { before = 0, after = 0 }

[title]
en = "Cost of water losses"
sl = "Strošek vodnih izgub"

[meaning]
en = "Water losses of a local day (inflow minus metered consumption) times the price of water in the settings. The denominator is the volume lost in m³; an inflow below the metered consumption is a negative cost, a sign of wrong meters."
sl = "Vodne izgube krajevnega dneva (dotok minus izmerjena poraba), pomnožene s ceno vode iz nastavitev. Imenovalec je izgubljena količina v m³; dotok, manjši od izmerjene porabe, da negativen strošek in kaže na napačne merilnike."

[[example]]
title = "36 m3 at 1.20 EUR"
as_of = 2026-03-03T12:00:00Z
[example.given]
indicator_values = """
SELECT 'water.' || n AS indicator, 'area' AS subject_kind, 'east' AS subject_id, DATE '2026-03-02' AS period_start, DATE '2026-03-03' AS period_end,
    v AS value, 10.0 AS denominator, 1.0 AS coverage, 3 AS devices, 0.0 AS estimated_share
FROM (VALUES ('inflow', 48.0), ('consumption_area', 12.0), ('consumption_billed', 12.0)) AS x (n, v)"""
[[example.expect]]
subject_id = "east"
period_start = 2026-03-02
value = 43.2
denominator = 36.0

[[example]]
title = "The billed consumption is not there yet: no value"
as_of = 2026-03-03T12:00:00Z
[example.given]
indicator_values = """
SELECT 'water.' || n AS indicator, 'area' AS subject_kind, 'east' AS subject_id, DATE '2026-03-02' AS period_start, DATE '2026-03-03' AS period_end,
    v AS value, 10.0 AS denominator, 1.0 AS coverage, 3 AS devices, 0.0 AS estimated_share
FROM (VALUES ('inflow', 48.0), ('consumption_area', 12.0)) AS x (n, v)"""
*/
SELECT b.subject_kind, b.subject_id, b.local_date AS period_start, b.local_date + 1 AS period_end,
    b.losses_m3 * r.water_eur_m3 AS value, b.losses_m3 * r.water_eur_m3 AS numerator, b.losses_m3 AS denominator,
    b.coverage, b.devices, b.estimated_share
FROM water_balance AS b CROSS JOIN run AS r
WHERE b.local_date < r.today
ORDER BY subject_kind, subject_id, period_start
