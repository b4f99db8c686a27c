/*
id = "water.inflow"
kind = "indicator"
version = 1
unit = "m3"
grain = "area and town, local day"
reads = ["inflow_daily", "inflow_meters", "area_tree", "municipality", "run"]
references = ["IWA water balance: system input volume"]
cadence = "night"
reach = { before = 64, after = 57 }

[title]
en = "System input of a district"
sl = "Dobavljena voda območja"

[meaning]
en = "Water that came into a district on a local day through its district meters, what flows out subtracted: from the registers, or from the mean flow where a meter has none. Hours that a meter missed are filled with its own mean and marked estimated; there is no value where a meter gave less than three quarters of the day. The town is the sum of the districts that lie in no other measured one, where all of them have a value."
sl = "Voda, ki je v krajevnem dnevu pritekla v območje skozi njegove merilnike, zmanjšana za odtok: iz števcev oziroma iz povprečnega pretoka, če števca ni. Manjkajoče ure so zapolnjene s povprečjem istega merilnika in označene kot ocena; vrednosti ni, če je merilnik dal manj kot tri četrtine dneva. Mesto je vsota območij, ki ne ležijo v drugem merjenem območju, kadar imajo vrednost vsa."

[[example]]
title = "A boundary meter takes from the north what it gives to the east; the town sees the inlet alone"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = [{ thing_id = "inlet", family = "district_meter", area_id = "north", attributes = "{}" }, { thing_id = "gate", family = "district_meter", area_id = "east", attributes = '{"other_area": "north"}' }]
assignments = [{ device_id = "d1", thing_id = "inlet", valid_from = "2026-01-01T00:00:00Z" }, { device_id = "d2", thing_id = "gate", valid_from = "2026-01-01T00:00:00Z" }]
district_meter = """
SELECT 'd1' AS device_id, t AS observed_at, 10.0 AS flow_m3h, NULL::DECIMAL(18, 6) AS volume_total_m3
FROM range(TIMESTAMPTZ '2026-03-01 23:00:00Z', TIMESTAMPTZ '2026-03-02 23:00:00Z', INTERVAL 15 MINUTE) AS r (t)
UNION ALL
SELECT 'd2', t, NULL, 500 + 4.0 * date_diff('hour', TIMESTAMPTZ '2026-03-01 23:00:00Z', t)
FROM range(TIMESTAMPTZ '2026-03-01 23:00:00Z', TIMESTAMPTZ '2026-03-03 00:00:00Z', INTERVAL 1 HOUR) AS r (t)"""
[[example.expect]]
subject_kind = "area"
subject_id = "east"
period_start = 2026-03-02
value = 96.0
coverage = 1.0
[[example.expect]]
subject_kind = "area"
subject_id = "north"
value = 144.0
devices = 2
[[example.expect]]
subject_kind = "municipality"
subject_id = "town"
value = 240.0
estimated_share = 0.0

[[example]]
title = "On 25 October 2026 the day has 25 hours; one of them is missing and filled"
as_of = 2026-10-26T12:00:00Z
[example.given]
things = [{ thing_id = "inlet", family = "district_meter", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "d1", thing_id = "inlet", valid_from = "2026-01-01T00:00:00Z" }]
district_meter = """
SELECT 'd1' AS device_id, t AS observed_at, 2.0 AS flow_m3h
FROM range(TIMESTAMPTZ '2026-10-24 22:00:00Z', TIMESTAMPTZ '2026-10-25 22:00:00Z', INTERVAL 15 MINUTE) AS r (t)"""
[[example.expect]]
subject_id = "east"
period_start = 2026-10-25
value = 50.0
coverage = 0.96
estimated_share = 0.04
[[example.expect]]
subject_id = "town"
value = 50.0

[[example]]
title = "One of two inlets was silent since yesterday: no value, not half of it"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = "SELECT 's' || i AS thing_id, 'district_meter' AS family, 'east' AS area_id, '{}' AS attributes FROM range(2) AS r (i)"
assignments = "SELECT 'd' || i AS device_id, 's' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
district_meter = """
SELECT 'd0' AS device_id, t AS observed_at, 2.0 AS flow_m3h
FROM range(TIMESTAMPTZ '2026-03-01 23:00:00Z', TIMESTAMPTZ '2026-03-02 23:00:00Z', INTERVAL 15 MINUTE) AS r (t)
UNION ALL SELECT 'd1', TIMESTAMPTZ '2026-02-28 12:00:00Z', 3.0"""
*/
WITH inside AS (
    SELECT DISTINCT area_id FROM area_tree
    WHERE ancestor_id <> area_id AND ancestor_id IN (SELECT area_id FROM inflow_meters)
),
place AS (
    SELECT 'area' AS subject_kind, area_id AS subject_id, * EXCLUDE (area_id) FROM inflow_daily
    UNION ALL BY NAME
    SELECT 'municipality' AS subject_kind, m.name AS subject_id, i.local_date,
        CASE WHEN count(i.volume_m3) = count(*) THEN CAST(sum(i.volume_m3) AS DECIMAL(18, 6)) END AS volume_m3,
        CAST(sum(i.estimated_m3) AS DECIMAL(18, 6)) AS estimated_m3, min(i.coverage) AS coverage,
        CAST(sum(i.meters) AS BIGINT) AS meters, CAST(sum(i.expected) AS BIGINT) AS expected
    FROM inflow_daily AS i ANTI JOIN inside AS n ON n.area_id = i.area_id
    CROSS JOIN municipality AS m
    GROUP BY m.name, i.local_date
)
SELECT p.subject_kind, p.subject_id, p.local_date AS period_start, p.local_date + 1 AS period_end,
    p.volume_m3 AS value, p.volume_m3 AS numerator, 1 AS denominator, p.coverage, p.meters AS devices,
    coalesce(least(1, p.estimated_m3 / nullif(abs(p.volume_m3), 0)), 0) AS estimated_share
FROM place AS p CROSS JOIN run AS r
WHERE p.local_date < r.today AND p.volume_m3 IS NOT NULL AND p.coverage >= 0.75
ORDER BY subject_kind, subject_id, period_start
