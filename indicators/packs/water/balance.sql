/*
id = "water.balance"
kind = "indicator"
version = 2
unit = "m3"
grain = "area and town, local day"
reads = ["water_balance", "inflow_meters", "area_tree", "municipality", "indicator_values", "run"]
needs = ["water.inflow", "water.consumption_area", "water.consumption_billed"]
references = ["IWA water balance: water losses = system input volume - authorised consumption, as metered"]
cadence = "night"
reach = { before = 0, after = 0 }

[title]
en = "Water losses (inflow minus metered consumption)"
sl = "Vodne izgube (dotok minus izmerjena poraba)"

[meaning]
en = "Inflow of a district minus what its metered connections drew on a local day: leaks, unmetered use and errors of meters together (water losses in IWA terms). The denominator is the inflow. There is no value where less than three quarters of the inflow, or of the connections' time, were measured. The town sums the districts that lie in no other measured one, where all of them have a value."
sl = "Dotok območja minus poraba na priključkih z vodomerom v krajevnem dnevu: puščanje, neizmerjena poraba in napake vodomerov skupaj (vodne izgube po IWA). Imenovalec je dotok. Vrednosti ni, če so bile izmerjene manj kot tri četrtine dotoka ali časa priključkov. Mesto je vsota območij, ki ne ležijo v drugem merjenem območju, kadar imajo vrednost vsa."

[[example]]
title = "Two districts, one in the other's zone: the town counts the zone's inlet alone"
as_of = 2026-03-03T12:00:00Z
[example.given]
areas = [{ area_id = "zone" }, { area_id = "east", parent_id = "zone" }]
things = "SELECT a || '-shaft' AS thing_id, 'district_meter' AS family, a AS area_id, '{}' AS attributes FROM (VALUES ('zone'), ('east')) AS v (a)"
assignments = "SELECT 'd-' || a AS device_id, a || '-shaft' AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM (VALUES ('zone'), ('east')) AS v (a)"
indicator_values = """
SELECT 'water.' || n AS indicator, 'area' AS subject_kind, a AS subject_id, DATE '2026-03-02' AS period_start, DATE '2026-03-03' AS period_end,
    v AS value, 10.0 AS denominator, c AS coverage, 3 AS devices, 0.1 AS estimated_share
FROM (VALUES ('inflow', 'zone', 100.0, 1.0), ('consumption_area', 'zone', 75.5, 0.9), ('consumption_billed', 'zone', 70.0, 0.9),
    ('inflow', 'east', 48.0, 1.0), ('consumption_area', 'east', 12.0, 1.0), ('consumption_billed', 'east', 12.0, 1.0)) AS x (n, a, v, c)"""
[[example.expect]]
subject_kind = "area"
subject_id = "east"
period_start = 2026-03-02
value = 36.0
denominator = 48.0
coverage = 1.0
devices = 6
[[example.expect]]
subject_id = "zone"
value = 24.5
coverage = 0.9
estimated_share = 0.1
[[example.expect]]
subject_kind = "municipality"
subject_id = "town"
value = 24.5
denominator = 100.0

[[example]]
title = "Only half of the connections' time is known: no value, not a loss twice as large"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = [{ thing_id = "shaft", family = "district_meter", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "d1", thing_id = "shaft", valid_from = "2026-01-01T00:00:00Z" }]
indicator_values = """
SELECT 'water.' || n AS indicator, 'area' AS subject_kind, 'east' AS subject_id, DATE '2026-03-02' AS period_start, DATE '2026-03-03' AS period_end,
    v AS value, 10.0 AS denominator, c AS coverage, 3 AS devices, 0.0 AS estimated_share
FROM (VALUES ('inflow', 48.0, 1.0), ('consumption_area', 12.0, 0.5), ('consumption_billed', 12.0, 0.5)) AS x (n, v, c)"""
*/
SELECT b.subject_kind, b.subject_id, b.local_date AS period_start, b.local_date + 1 AS period_end,
    b.losses_m3 AS value, b.losses_m3 AS numerator, b.input_m3 AS denominator, b.coverage, b.devices, b.estimated_share
FROM water_balance AS b CROSS JOIN run AS r
WHERE b.local_date < r.today
ORDER BY subject_kind, subject_id, period_start
