/*
id = "lighting.energy_km"
kind = "indicator"
version = 1
unit = "kW.h/km"
grain = "area and town, local day"
reads = ["stored_periods", "lit_lengths", "indicator_values", "register_roads", "area_tree", "local_periods", "municipality", "run"]
needs = ["lighting.energy"]
references = ["ISO 37120:2018 7.6 street lighting per kilometre, for a day (number not verified)"]
cadence = "night"
period = "day"
reach = { before = 0, after = 0 }

[title]
en = "Energy per kilometre of lit road"
sl = "Energija na kilometer osvetljene ceste"

[meaning]
en = "Energy of street lighting on a local day per kilometre of the roads that the register of roads calls lit. Without such a length there is no value; what silent luminaires drew is not in it: see coverage."
sl = "Energija javne razsvetljave v krajevnem dnevu na kilometer cest, ki so v registru cest označene kot osvetljene. Brez te dolžine vrednosti ni; poraba molčečih svetilk ni zajeta: glej pokritost."

[[example]]
title = "2000 m of a lit road, 500 m of one that is not, and an area without lit roads"
as_of = 2027-01-02T12:00:00Z
[example.given]
register_roads = """
SELECT 'r' || i AS road_id, 'east' AS area_id, TIMESTAMPTZ '2025-01-01 00:00:00Z' AS valid_from, CASE i WHEN 0 THEN 2000.0 ELSE 500.0 END AS length_m, i = 0 AS lit FROM range(2) AS r (i)"""
areas = [{ area_id = "east" }, { area_id = "west" }]
indicator_values = """
SELECT 'lighting.energy' AS indicator, 'area' AS subject_kind, a AS subject_id, d::DATE AS period_start, d::DATE + 1 AS period_end,
    12.0 AS value, 1.0 AS coverage, 40 AS devices, 0.0 AS estimated_share
FROM range(TIMESTAMP '2026-01-01', TIMESTAMP '2027-01-01', INTERVAL 1 DAY) AS r (d), (VALUES ('east'), ('west')) AS x (a) WHERE d = TIMESTAMP '2026-03-02'"""
[[example.expect]]
subject_kind = "area"
subject_id = "east"
period_start = 2026-03-02
value = 6.0
denominator = 2.0
*/
WITH spent AS (
    SELECT p.*, p.period_end AS ends_on, p.total * p.days / p.told AS kwh FROM stored_periods('lighting.energy', 'day') AS p
    CROSS JOIN run AS r WHERE p.period_end <= r.today AND p.told >= 0.75 * p.days
)
SELECT s.subject_kind, s.subject_id, s.period_start, s.period_end, s.kwh / l.km AS value, s.kwh AS numerator, l.km AS denominator,
    s.coverage, s.devices, s.estimated_share
FROM spent AS s JOIN lit_lengths('spent') AS l USING (subject_kind, subject_id, ends_on)
ORDER BY subject_kind, subject_id, period_start
