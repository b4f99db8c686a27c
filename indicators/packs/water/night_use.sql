/*
id = "water.night_use"
kind = "indicator"
version = 1
unit = "m3/h"
grain = "area, local day"
reads = ["water_meter", "assignments", "things", "area_tree", "local_days", "run"]
references = ["Metered legitimate night use, 02:00-04:00 local time"]
cadence = "night"

[title]
en = "Metered night use"
sl = "Izmerjena nočna poraba"

[meaning]
en = "What the connections of an area drew between 02:00 and 04:00 local time, as the rise of their registers (a step across the edge of the window is shared by time). A connection is heard where three quarters of the window are known; the others are taken to draw the mean of those heard, and are the estimated share. No value where fewer than three quarters of the connections are heard."
sl = "Kar so priključki območja odvzeli med 2. in 4. uro po krajevnem času, iz razlik stanj vodomerov (razlika čez rob okna se razdeli po času). Priključek je slišan, kjer so znane tri četrtine okna; za druge velja povprečje slišanih, kar je delež ocen. Vrednosti ni, če so slišane manj kot tri četrtine priključkov."

[[example]]
title = "Four connections of 20 L/h at night, more by day; one of them is silent"
as_of = 2026-03-02T12:00:00Z
[example.given]
things = "SELECT 'h' || i AS thing_id, 'water_meter' AS family, 'east' AS area_id, '{}' AS attributes FROM range(4) AS r (i)"
assignments = "SELECT 'm' || i AS device_id, 'h' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(4) AS r (i)"
water_meter = """
SELECT 'm' || i AS device_id, t AS observed_at, 7 + sum(CASE WHEN hour(t) BETWEEN 1 AND 3 THEN 0.02 ELSE 0.2 END) OVER (PARTITION BY i ORDER BY t) AS volume_total_m3
FROM range(TIMESTAMPTZ '2026-03-02 00:00:00Z', TIMESTAMPTZ '2026-03-02 12:00:00Z', INTERVAL 1 HOUR) AS r (t), range(3) AS h (i)"""
[[example.expect]]
subject_id = "east"
period_start = 2026-03-02
value = 0.08
denominator = 4.0
coverage = 0.75
devices = 3
estimated_share = 0.25

[[example]]
title = "In the night of 25 October 2026 the window has three hours"
as_of = 2026-10-26T12:00:00Z
[example.given]
things = [{ thing_id = "h", family = "water_meter", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "m", thing_id = "h", valid_from = "2026-01-01T00:00:00Z" }]
water_meter = """
SELECT 'm' AS device_id, t AS observed_at, 0.01 * date_diff('hour', TIMESTAMPTZ '2026-10-24 22:00:00Z', t) AS volume_total_m3
FROM range(TIMESTAMPTZ '2026-10-24 23:00:00Z', TIMESTAMPTZ '2026-10-25 06:00:00Z', INTERVAL 1 HOUR) AS r (t)"""
[[example.expect]]
subject_id = "east"
period_start = 2026-10-25
value = 0.01
numerator = 0.01
*/
WITH step AS (
    SELECT t.area_id, a.thing_id, n.local_date, n.night_starts_at, n.night_ends_at,
        r.volume_total_m3 AS register, lag(r.volume_total_m3) OVER w AS before,
        r.observed_at AS ends_at, lag(r.observed_at) OVER w AS starts_at
    FROM water_meter AS r CROSS JOIN run AS q
    JOIN local_days AS n ON n.local_date = local_date(r.observed_at)
        AND r.observed_at BETWEEN n.night_starts_at - INTERVAL 90 MINUTE AND n.night_ends_at + INTERVAL 90 MINUTE
    JOIN assignments AS a ON a.device_id = r.device_id AND r.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR r.observed_at < a.valid_to)
    JOIN things AS t ON t.thing_id = a.thing_id AND t.family = 'water_meter' AND t.area_id IS NOT NULL
    WHERE r.volume_total_m3 IS NOT NULL AND r.quality NOT IN (4, 9) AND n.night_ends_at <= q.as_of
    WINDOW w AS (PARTITION BY n.local_date, a.thing_id, a.device_id, a.valid_from ORDER BY r.observed_at)
),
part AS (
    SELECT area_id, thing_id, local_date, epoch_us(night_ends_at) - epoch_us(night_starts_at) AS length,
        epoch_us(ends_at) - epoch_us(starts_at) AS micros, CAST((register - before) * 1000000 AS HUGEINT) AS micro,
        epoch_us(least(ends_at, night_ends_at)) - epoch_us(greatest(starts_at, night_starts_at)) AS inside
    FROM step
    WHERE ends_at > starts_at AND ends_at > night_starts_at AND starts_at < night_ends_at AND register >= before
        AND NOT register_jumped(before, register, epoch_us(ends_at) - epoch_us(starts_at), 125)
),
heard AS (  -- litres a thousandfold, and how long they took
    SELECT area_id, thing_id, local_date, sum(micro * inside // micros) AS micro, sum(inside) AS known
    FROM part
    GROUP BY area_id, thing_id, local_date
    HAVING sum(inside) >= 0.75 * any_value(length)
),
rate AS (
    SELECT t.ancestor_id AS area_id, h.local_date, sum(h.micro * 3600000000 // h.known) AS micro_an_hour, count(*) AS heard
    FROM heard AS h JOIN area_tree AS t ON t.area_id = h.area_id
    GROUP BY t.ancestor_id, h.local_date
),
served AS (
    SELECT e.ancestor_id AS area_id, n.local_date, count(DISTINCT a.thing_id) AS connections
    FROM (SELECT DISTINCT local_date FROM rate) AS d
    JOIN local_days AS n ON n.local_date = d.local_date
    JOIN assignments AS a ON a.valid_from < n.night_ends_at AND (a.valid_to IS NULL OR a.valid_to > n.night_starts_at)
    JOIN things AS t ON t.thing_id = a.thing_id AND t.family = 'water_meter'
    JOIN area_tree AS e ON e.area_id = t.area_id
    GROUP BY e.ancestor_id, n.local_date
)
SELECT 'area' AS subject_kind, r.area_id AS subject_id, r.local_date AS period_start, r.local_date + 1 AS period_end,
    CAST(r.micro_an_hour AS DOUBLE) / 1000000 * s.connections / r.heard AS value,
    CAST(r.micro_an_hour AS DOUBLE) / 1000000 * s.connections / r.heard AS numerator, s.connections AS denominator,
    r.heard / s.connections AS coverage, r.heard AS devices, 1 - r.heard / s.connections AS estimated_share
FROM rate AS r JOIN served AS s ON s.area_id = r.area_id AND s.local_date = r.local_date
WHERE r.heard >= 0.75 * s.connections
ORDER BY subject_id, period_start
