/*
id = "platform.completeness_device"
kind = "indicator"
version = 1
unit = "%"
grain = "device, local day"
reads = ["heard", "expected", "devices", "assignments", "local_days", "run"]
references = ["Completeness = declared intervals in which a device was heard / declared intervals"]
cadence = "night"
reach = { before = 0, after = 0 }

[title]
en = "Completeness of a device's readings"
sl = "Popolnost odčitkov naprave"

[meaning]
en = "Intervals of a local day in which a device in service was heard, in percent of those that its family declares for the time it hung there. A device that speaks twice in an interval counts once, one that said nothing has 0 %. Days on which nothing at all was heard have no value."
sl = "Intervali krajevnega dneva, v katerih je bila naprava v obratovanju slišana, v odstotkih tistih, ki jih njena družina napove za čas, ko je bila nameščena. Naprava, ki v intervalu spregovori dvakrat, šteje enkrat; tista, ki ni povedala ničesar, ima 0 %. Dnevi, ko ni bilo slišati ničesar, nimajo vrednosti."

[[example]]
title = "One container is heard every half hour, one half of the day, one never; one was hung at noon"
as_of = 2026-03-03T12:00:00Z
[example.given]
devices = "SELECT 'd' || i AS device_id, 'waste_container' AS family FROM range(4) AS r (i)"
assignments = """
SELECT 'd' || i AS device_id, 'b' || i AS thing_id, CASE WHEN i = 3 THEN TIMESTAMPTZ '2026-03-02 11:00:00Z' ELSE TIMESTAMPTZ '2026-03-01 23:00:00Z' END AS valid_from
FROM range(4) AS r (i)"""
waste_container = """
SELECT 'd' || i AS device_id, t AS observed_at, 20.0 AS fill_pct
FROM range(TIMESTAMPTZ '2026-03-01 23:00:00Z', TIMESTAMPTZ '2026-03-02 23:00:00Z', INTERVAL 30 MINUTE) AS r (t), range(4) AS d (i)
WHERE i = 0 OR i IN (1, 3) AND t >= TIMESTAMPTZ '2026-03-02 11:00:00Z'"""
[[example.expect]]
subject_kind = "device"
subject_id = "d0"
period_start = 2026-03-02
value = 100.0
numerator = 24.0
denominator = 24.0
[[example.expect]]
subject_id = "d1"
value = 50.0
[[example.expect]]
subject_id = "d2"
value = 0.0
numerator = 0.0
[[example.expect]]
subject_id = "d3"
value = 100.0
denominator = 12.0

[[example]]
title = "On 29 March 2026 the day has 23 intervals of an hour"
as_of = 2026-03-30T12:00:00Z
[example.given]
devices = [{ device_id = "d0", family = "waste_container" }]
assignments = [{ device_id = "d0", thing_id = "b0", valid_from = "2026-03-01T00:00:00Z" }]
waste_container = """
SELECT 'd0' AS device_id, t AS observed_at, 20.0 AS fill_pct
FROM range(TIMESTAMPTZ '2026-03-28 23:00:00Z', TIMESTAMPTZ '2026-03-29 22:00:00Z', INTERVAL 1 HOUR) AS r (t)"""
[[example.expect]]
subject_id = "d0"
period_start = 2026-03-29
value = 100.0
denominator = 23.0
*/
WITH slot AS MATERIALIZED (
    SELECT h.device_id, h.family, CAST(h.observed_at AT TIME ZONE r.zone AS DATE) AS local_date,
        -- a bit for each interval: those of a day are at most 101 where one lasts 15 minutes, so 127 bits hold them
        coalesce(bit_count(bit_or(1::HUGEINT << CAST(abs(epoch_us(h.observed_at) // (CAST(e.seconds AS BIGINT) * 1000000) % 127) AS INTEGER))
            FILTER (e.seconds >= 900)), 0)
            + count(DISTINCT epoch_us(h.observed_at) // (CAST(e.seconds AS BIGINT) * 1000000)) FILTER (e.seconds < 900) AS slots
    FROM heard AS h JOIN expected AS e ON e.family = h.family CROSS JOIN run AS r
    GROUP BY h.device_id, h.family, local_date
),
day AS MATERIALIZED (  -- by itself, so that not every day of the calendar meets every assignment
    SELECT l.local_date, l.starts_at, l.ends_at FROM local_days AS l SEMI JOIN slot AS s ON s.local_date = l.local_date
),
service AS (  -- seconds of the day for which each device was in service
    SELECT v.family, l.local_date, a.device_id,
        sum(epoch(least(coalesce(a.valid_to, l.ends_at), l.ends_at)) - epoch(greatest(a.valid_from, l.starts_at))) AS served
    FROM day AS l
    JOIN assignments AS a ON a.valid_from < l.ends_at AND (a.valid_to IS NULL OR a.valid_to > l.starts_at)
    JOIN devices AS v ON v.device_id = a.device_id
    GROUP BY v.family, l.local_date, a.device_id
),
share AS (
    SELECT s.device_id, s.local_date, s.served / e.seconds AS declared, coalesce(h.slots, 0) AS slots
    FROM service AS s JOIN expected AS e ON e.family = s.family
    LEFT JOIN slot AS h ON h.device_id = s.device_id AND h.family = s.family AND h.local_date = s.local_date
    WHERE s.served >= e.seconds
)
SELECT 'device' AS subject_kind, s.device_id AS subject_id, s.local_date AS period_start, s.local_date + 1 AS period_end,
    100 * least(1, s.slots / s.declared) AS value, least(s.slots, s.declared) AS numerator, s.declared AS denominator,
    1.0 AS coverage, 1 AS devices, 0.0 AS estimated_share
FROM share AS s CROSS JOIN run AS r
WHERE s.local_date < r.today
ORDER BY subject_id, period_start
