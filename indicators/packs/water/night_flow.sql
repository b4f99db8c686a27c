/*
id = "water.night_flow"
kind = "indicator"
version = 2
unit = "m3/h"
grain = "area, local day"
reads = ["inflow", "run"]
references = ["Minimum night flow (MNF), mean inflow 02:00-04:00 local time"]
cadence = "night"
reach = { before = 9, after = 1 }

[title]
en = "Minimum night flow"
sl = "Najmanjši nočni pretok"

[meaning]
en = "Mean inflow of a district between 02:00 and 04:00 local time, when people sleep and leaks do not. There is no value where a meter of the district gave less than three quarters of the window."
sl = "Povprečni dotok območja med 2. in 4. uro po krajevnem času, ko ljudje spijo, puščanja pa ne. Vrednosti ni, če je kateri od merilnikov območja dal manj kot tri četrtine okna."

[[example]]
title = "The mean of the window; what lies before and after does not count, and today's window counts once it is over"
as_of = 2026-03-02T06:00:00Z
[example.given]
things = [{ thing_id = "shaft", family = "district_meter", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "d1", thing_id = "shaft", valid_from = "2026-01-01T00:00:00Z" }]
district_meter = """
SELECT 'd1' AS device_id, t AS observed_at, CASE WHEN hour(t) = 1 THEN 4.0 WHEN hour(t) = 2 THEN 6.0 ELSE 50.0 END AS flow_m3h
FROM range(TIMESTAMPTZ '2026-03-02 00:00:00Z', TIMESTAMPTZ '2026-03-02 06:00:00Z', INTERVAL 15 MINUTE) AS r (t)"""
[[example.expect]]
subject_kind = "area"
subject_id = "east"
period_start = 2026-03-02
value = 5.0
coverage = 1.0
devices = 1

[[example]]
title = "On the night of 29 March 2026 the window has one hour, on that of 25 October three"
as_of = 2026-10-26T06:00:00Z
[example.given]
things = [{ thing_id = "shaft", family = "district_meter", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "d1", thing_id = "shaft", valid_from = "2026-01-01T00:00:00Z" }]
district_meter = """
SELECT 'd1' AS device_id, t AS observed_at, hour(t) AS flow_m3h
FROM range(TIMESTAMPTZ '2026-03-29 00:00:00Z', TIMESTAMPTZ '2026-03-29 06:00:00Z', INTERVAL 15 MINUTE) AS r (t)
UNION ALL
SELECT 'd1', t, hour(t)
FROM range(TIMESTAMPTZ '2026-10-24 23:00:00Z', TIMESTAMPTZ '2026-10-25 06:00:00Z', INTERVAL 15 MINUTE) AS r (t)"""
[[example.expect]]
period_start = 2026-03-29
value = 1.0
numerator = 4.0
denominator = 4.0
[[example.expect]]
period_start = 2026-10-25
value = 1.0
numerator = 12.0
denominator = 12.0

[[example]]
title = "One of two inflows is silent: no value"
as_of = 2026-03-02T06:00:00Z
[example.given]
things = [{ thing_id = "s1", family = "district_meter", area_id = "east", attributes = "{}" }, { thing_id = "s2", family = "district_meter", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "d1", thing_id = "s1", valid_from = "2026-01-01T00:00:00Z" }, { device_id = "d2", thing_id = "s2", valid_from = "2026-01-01T00:00:00Z" }]
district_meter = """
SELECT 'd1' AS device_id, t AS observed_at, 3.0 AS flow_m3h
FROM range(TIMESTAMPTZ '2026-03-02 00:00:00Z', TIMESTAMPTZ '2026-03-02 06:00:00Z', INTERVAL 15 MINUTE) AS r (t)
UNION ALL SELECT 'd2', TIMESTAMPTZ '2026-03-01 12:00:00Z', 3.0"""
*/
WITH slot AS (
    SELECT i.area_id, i.flow_m3h, i.expected, i.meters = i.expected AS whole, r.zone, r.as_of,
        CAST(i.starts_at AT TIME ZONE r.zone AS DATE) AS local_date,
        hour(i.starts_at AT TIME ZONE r.zone) AS local_hour
    FROM inflow AS i CROSS JOIN run AS r
),
night AS (
    SELECT area_id, local_date, avg(flow_m3h) AS flow, sum(flow_m3h) AS flows, count(*) AS slots, max(expected) AS meters,
        any_value((local_date + INTERVAL 4 HOUR) AT TIME ZONE zone) AS ends_at, any_value(as_of) AS as_of,
        (epoch(any_value((local_date + INTERVAL 4 HOUR) AT TIME ZONE zone))
            - epoch(any_value((local_date + INTERVAL 2 HOUR) AT TIME ZONE zone))) / 900 AS window_slots
    FROM slot
    WHERE whole AND local_hour IN (2, 3)
    GROUP BY area_id, local_date
)
SELECT 'area' AS subject_kind, area_id AS subject_id, local_date AS period_start, local_date + 1 AS period_end,
    flow AS value, flows AS numerator, slots AS denominator, least(1, slots / window_slots) AS coverage,
    meters AS devices, 0.0 AS estimated_share
FROM night
WHERE ends_at <= as_of AND slots >= 0.75 * window_slots
ORDER BY subject_id, period_start
