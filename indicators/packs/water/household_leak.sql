/*
id = "water.household_leak"
kind = "detector"
version = 1
grain = "connection"
personal = true
reads = ["consumption_hourly", "things", "run"]
references = ["Continuous flow: no hour without use for a day, the rule of most AMI vendors; held here against the connection's own hours of rest"]
cadence = "hour"

[title]
en = "Leak behind a water meter"
sl = "Puščanje za vodomerom"

[meaning]
en = "Water has run through a connection without an hour of rest for at least 24 hours, and this connection does not do so by chance: by how often it rested at these hours of the day before, that would happen less than once in a million times, even if one stretch of 12 hours (a garden, a toilet) is excused; and earlier stretches of this kind took less than a tenth of its time. The leak is the flow that never stops: the lowest tenth of the hours."
sl = "Skozi priključek že vsaj 24 ur teče voda brez ene same ure premora, kar pri tem priključku ni naključje: glede na to, kako pogosto je ob teh urah prej počival, bi se to zgodilo manj kot enkrat na milijon, tudi če ji oprostimo 12 zaporednih ur (vrt, kotliček); in takih obdobij je bilo doslej manj kot desetina časa. Puščanje je pretok, ki se nikoli ne ustavi: najnižja desetina ur."

[says.what]
en = "Leak behind the water meter"
sl = "Puščanje za vodomerom"

[says.why]
en = "{hours:.0f} h without an hour of rest, never under {lowest_lph:.0f} L/h. Before, {zero_share:.0%} of all hours were without use and the longest such stretch took {longest_before_h:.0f} h."
sl = "Že {hours:.0f} h brez ene same ure premora, nikoli pod {lowest_lph:.0f} l/h. Prej je bilo brez porabe {zero_share:.0%} vseh ur, najdaljše tako obdobje pa je trajalo {longest_before_h:.0f} h."

[says.chart]
en = "lowest hour of each day, L/h"
sl = "najnižja ura vsakega dneva, l/h"

[[example]]
title = "A house that rests at night begins to draw 20 L/h around the clock"
as_of = 2026-03-14T00:00:00Z
[example.given]
things = [{ thing_id = "house", family = "water_meter", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "m1", thing_id = "house", valid_from = "2026-01-01T00:00:00Z" }]
water_meter = """
SELECT 'm1' AS device_id, t AS observed_at, sum(CASE WHEN hour(t) BETWEEN 7 AND 20 THEN 0.012 ELSE 0 END
    + CASE WHEN t > TIMESTAMPTZ '2026-03-10 05:00:00Z' THEN 0.020 ELSE 0 END) OVER (ORDER BY t) AS volume_total_m3
FROM range(TIMESTAMPTZ '2026-03-01 00:00:00Z', TIMESTAMPTZ '2026-03-14 00:00:00Z', INTERVAL 1 HOUR) AS r (t)"""
[[example.expect]]
thing_id = "house"
since = 2026-03-10T05:00:00Z
litres_per_hour = 20.0
volume_m3 = 1.8
going_on = true

[[example]]
title = "A bakery that never rests is no leak, nor is a garden that drinks for one night"
as_of = 2026-03-12T00:00:00Z
[example.given]
things = "SELECT 'h' || i AS thing_id, 'water_meter' AS family, 'east' AS area_id, '{}' AS attributes FROM range(2) AS r (i)"
assignments = "SELECT 'm' || i AS device_id, 'h' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
water_meter = """
SELECT 'm' || i AS device_id, t AS observed_at, sum(CASE WHEN i = 0 AND (dayofweek(t) > 0 OR hour(t) > 3) THEN 0.1
    WHEN i = 1 AND (hour(t) IN (7, 18) OR t BETWEEN TIMESTAMPTZ '2026-03-09 19:00:00Z' AND TIMESTAMPTZ '2026-03-10 06:00:00Z') THEN 0.2 ELSE 0 END) OVER (PARTITION BY i ORDER BY t) AS volume_total_m3
FROM range(TIMESTAMPTZ '2026-02-01 00:00:00Z', TIMESTAMPTZ '2026-03-12 00:00:00Z', INTERVAL 1 HOUR) AS r (t), range(2) AS m (i)"""
*/
WITH hour AS (
    SELECT c.thing_id, c.device_id, c.starts_at, c.ends_at, (epoch(c.ends_at) - epoch(c.starts_at)) / 3600 AS hours,
        hour(c.starts_at AT TIME ZONE r.zone) AS local_hour,
        CAST(c.volume_m3 AS DOUBLE) * 3.6e6 / (epoch(c.ends_at) - epoch(c.starts_at)) AS lph
    FROM consumption_hourly AS c CROSS JOIN run AS r
    WHERE c.ends_at > r.as_of - INTERVAL 63 DAY AND c.ends_at - c.starts_at <= INTERVAL 3 DAY
),
stretch AS (  -- what lies between two hours of rest
    SELECT *, count(*) FILTER (WHERE lph <= 2) OVER (PARTITION BY thing_id ORDER BY ends_at) AS number FROM hour
),
run_on AS (
    SELECT thing_id, any_value(device_id) AS device_id, number, min(starts_at) AS since, max(ends_at) AS until,
        sum(hours) FILTER (WHERE hours <= 3) AS hours, sum(hours) AS lasted, quantile_cont(lph, 0.1) AS base_lph,
        list_min(list(lph ORDER BY ends_at)[2:]) AS lowest  -- it may have begun within the first hour
    FROM stretch WHERE lph > 2
    GROUP BY thing_id, number
),
habit AS (
    SELECT *,
        coalesce(sum(CASE WHEN hours >= 24 THEN hours END) OVER before, 0) AS long_before,
        coalesce(max(hours) OVER before, 0) AS longest_before
    FROM run_on
    WINDOW before AS (PARTITION BY thing_id ORDER BY since ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
),
long_run AS (
    SELECT h.*, NOT EXISTS (FROM hour AS o WHERE o.thing_id = h.thing_id AND o.ends_at > h.until) AS going_on
    FROM habit AS h
    WHERE h.hours >= 24
),
rest AS (  -- how often the connection rested at each hour of the day before the run
    SELECT l.thing_id, l.number, o.local_hour, count(*) AS hours_before, count(*) FILTER (WHERE o.lph <= 2) AS zeros_before,
        (zeros_before + 0.5) / (hours_before + 1) AS share
    FROM long_run AS l JOIN hour AS o ON o.thing_id = l.thing_id AND o.ends_at <= l.since
    GROUP BY l.thing_id, l.number, o.local_hour
),
surprise AS (  -- minus the logarithm of the chance of a run without rest, and of its least likely 12 hours
    SELECT thing_id, number, sum(score) AS score, max(half_day) AS half_day
    FROM (
        SELECT l.thing_id, l.number, -ln(1 - e.share) AS score,
            sum(-ln(1 - e.share)) OVER (
                PARTITION BY l.thing_id, l.number ORDER BY s.starts_at RANGE BETWEEN INTERVAL 11 HOUR PRECEDING AND CURRENT ROW
            ) AS half_day
        FROM long_run AS l
        JOIN stretch AS s ON s.thing_id = l.thing_id AND s.number = l.number AND s.lph > 2 AND s.hours <= 3
        JOIN rest AS e ON e.thing_id = l.thing_id AND e.number = l.number AND e.local_hour = s.local_hour
    )
    GROUP BY thing_id, number
),
known AS (
    SELECT l.*, s.score - s.half_day AS score, b.hours_before, b.zeros_before
    FROM long_run AS l
    JOIN surprise AS s ON s.thing_id = l.thing_id AND s.number = l.number
    JOIN (
        SELECT thing_id, number, sum(hours_before) AS hours_before, sum(zeros_before) AS zeros_before
        FROM rest GROUP BY thing_id, number
    ) AS b ON b.thing_id = l.thing_id AND b.number = l.number
),
daily AS (
    SELECT d.thing_id, list(d.lowest ORDER BY d.day)[-28:] AS chart
    FROM (
        SELECT thing_id, CAST(ends_at AT TIME ZONE r.zone AS DATE) AS day, round(min(lph), 1) AS lowest
        FROM hour CROSS JOIN run AS r GROUP BY thing_id, day
    ) AS d
    GROUP BY d.thing_id
)
SELECT k.thing_id, k.device_id, t.area_id, k.since, CASE WHEN k.going_on THEN NULL ELSE k.until END AS until,
    CASE WHEN k.base_lph >= 100 THEN 'critical' ELSE 'warning' END AS severity,
    round(k.base_lph, 1) AS litres_per_hour, round(k.base_lph * k.lasted / 1000, 3) AS volume_m3,
    round(k.base_lph * k.lasted / 1000 * r.water_eur_m3, 2) AS eur,
    round(least(0.99, 0.8 + k.score / 500), 2) AS confidence,
    {
        'hours': round(k.hours, 1), 'lowest_lph': round(k.lowest, 1), 'zero_share': round(k.zeros_before / k.hours_before, 3),
        'longest_before_h': round(k.longest_before, 1), 'score': round(k.score, 1), 'chart': d.chart
    } AS evidence,
    k.going_on
FROM known AS k
JOIN things AS t ON t.thing_id = k.thing_id
JOIN daily AS d ON d.thing_id = k.thing_id
CROSS JOIN run AS r
WHERE k.hours_before >= 72 AND k.score >= 14 AND k.long_before < 0.1 * k.hours_before AND k.until > r.as_of - INTERVAL 35 DAY
