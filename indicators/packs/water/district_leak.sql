/*
id = "water.district_leak"
kind = "detector"
version = 1
grain = "area"
reads = ["inflow", "consumption_hourly", "hydrant", "assignments", "things", "run"]
references = ["Minimum night flow above its own baseline; what connections drew that night is subtracted and nights with an open hydrant are left out, so that one cause makes one alarm"]
cadence = "night"

[title]
en = "Leak in a district's network"
sl = "Puščanje v omrežju območja"

[meaning]
en = "On two nights in a row or more, the night flow (02:00-04:00 local) minus what the metered connections drew lies above what the same district had in up to 28 nights before: by more than five robust deviations, a tenth of the flow and 0.3 m³/h; a night of the weekend is also held against those of earlier weekends. The baseline stands still while the leak lasts."
sl = "V dveh ali več zaporednih nočeh je nočni pretok (od 2. do 4. ure po krajevnem času) brez porabe na priključkih nad tistim, kar je imelo isto območje v do 28 prejšnjih nočeh: za več kot pet robustnih odklonov, desetino pretoka in 0,3 m³/h; noči ob koncu tedna se primerjajo tudi s prejšnjimi konci tedna. Izhodišče se med puščanjem ne premika."

[says.what]
en = "Leak in the network of the district"
sl = "Puščanje v omrežju območja"

[says.why]
en = "Night flow without household use rose from {baseline_m3h:.2f} to {now_m3h:.2f} m³/h and stayed there for {nights} nights; an ordinary night differs by {spread_m3h:.2f} m³/h."
sl = "Nočni pretok brez porabe gospodinjstev se je dvignil s {baseline_m3h:.2f} na {now_m3h:.2f} m³/h in tak ostal {nights} noči; običajna noč odstopa za {spread_m3h:.2f} m³/h."

[says.chart]
en = "night flow without household use, m³/h"
sl = "nočni pretok brez porabe gospodinjstev, m³/h"

[[example]]
title = "2 m3/h more since the ninth night; one wild night before it is no leak"
as_of = 2026-03-13T06:00:00Z
[example.given]
things = [{ thing_id = "shaft", family = "district_meter", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "d1", thing_id = "shaft", valid_from = "2026-01-01T00:00:00Z" }]
district_meter = """
SELECT 'd1' AS device_id, t AS observed_at, 3.0 + 0.1 * (day(t) % 3) + CASE WHEN day(t) = 6 THEN 30 WHEN t >= TIMESTAMPTZ '2026-03-09 12:00:00Z' THEN 2 ELSE 0 END AS flow_m3h
FROM range(TIMESTAMPTZ '2026-03-01 00:00:00Z', TIMESTAMPTZ '2026-03-13 06:00:00Z', INTERVAL 15 MINUTE) AS r (t)"""
[[example.expect]]
thing_id = "shaft"
area_id = "east"
since = 2026-03-10T01:00:00Z
litres_per_hour = 2000.0
going_on = true

[[example]]
title = "A leak inside a metered house is not one of the network"
as_of = 2026-03-13T06:00:00Z
[example.given]
things = [{ thing_id = "shaft", family = "district_meter", area_id = "east", attributes = "{}" }, { thing_id = "house", family = "water_meter", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "d1", thing_id = "shaft", valid_from = "2026-01-01T00:00:00Z" }, { device_id = "m1", thing_id = "house", valid_from = "2026-01-01T00:00:00Z" }]
district_meter = """
SELECT 'd1' AS device_id, t AS observed_at, CASE WHEN t >= TIMESTAMPTZ '2026-03-10 00:00:00Z' THEN 4.0 ELSE 3.0 END AS flow_m3h
FROM range(TIMESTAMPTZ '2026-03-01 00:00:00Z', TIMESTAMPTZ '2026-03-13 06:00:00Z', INTERVAL 15 MINUTE) AS r (t)"""
water_meter = """
SELECT 'm1' AS device_id, t AS observed_at, greatest(0, date_diff('hour', TIMESTAMPTZ '2026-03-10 00:00:00Z', t)) AS volume_total_m3
FROM range(TIMESTAMPTZ '2026-03-01 00:00:00Z', TIMESTAMPTZ '2026-03-13 06:00:00Z', INTERVAL 1 HOUR) AS r (t)"""

[[example]]
title = "A hydrant left open for days is its own alarm, not a leak"
as_of = 2026-03-13T06:00:00Z
[example.given]
things = [{ thing_id = "shaft", family = "district_meter", area_id = "east", attributes = "{}" }, { thing_id = "hydrant", family = "hydrant", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "d1", thing_id = "shaft", valid_from = "2026-01-01T00:00:00Z" }, { device_id = "h1", thing_id = "hydrant", valid_from = "2026-01-01T00:00:00Z" }]
district_meter = """
SELECT 'd1' AS device_id, t AS observed_at, CASE WHEN t >= TIMESTAMPTZ '2026-03-10 00:00:00Z' THEN 18.0 ELSE 3.0 END AS flow_m3h
FROM range(TIMESTAMPTZ '2026-03-01 00:00:00Z', TIMESTAMPTZ '2026-03-13 06:00:00Z', INTERVAL 15 MINUTE) AS r (t)"""
hydrant = """
SELECT 'h1' AS device_id, t AS observed_at, t >= TIMESTAMPTZ '2026-03-10 00:00:00Z' AS open_state
FROM range(TIMESTAMPTZ '2026-03-01 00:00:00Z', TIMESTAMPTZ '2026-03-13 06:00:00Z', INTERVAL 1 HOUR) AS r (t)"""
*/
WITH inflow_night AS (
    SELECT i.area_id, CAST(i.starts_at AT TIME ZONE r.zone AS DATE) AS night, avg(CAST(i.flow_m3h AS DECIMAL(18, 6))) AS flow,
        any_value((CAST(i.starts_at AT TIME ZONE r.zone AS DATE) + INTERVAL 2 HOUR) AT TIME ZONE r.zone) AS starts_at,
        any_value((CAST(i.starts_at AT TIME ZONE r.zone AS DATE) + INTERVAL 4 HOUR) AT TIME ZONE r.zone) AS ends_at
    FROM inflow AS i CROSS JOIN run AS r
    WHERE i.meters = i.expected AND hour(i.starts_at AT TIME ZONE r.zone) IN (2, 3) AND i.starts_at > r.as_of - INTERVAL 64 DAY
    GROUP BY i.area_id, night
    HAVING count(*) >= 3
),
drawn AS (  -- through meters, in the same window, by the share of each step that lies in it
    SELECT t.area_id, n.night, sum(CAST(c.volume_m3 AS DOUBLE)
        * (epoch(least(c.ends_at, n.ends_at)) - epoch(greatest(c.starts_at, n.starts_at)))
        / (epoch(c.ends_at) - epoch(c.starts_at))) / any_value((epoch(n.ends_at) - epoch(n.starts_at)) / 3600) AS flow
    FROM (SELECT DISTINCT night, starts_at, ends_at FROM inflow_night) AS n
    JOIN consumption_hourly AS c ON c.starts_at < n.ends_at AND c.ends_at > n.starts_at
    JOIN things AS t ON t.thing_id = c.thing_id
    GROUP BY t.area_id, n.night
),
opened AS (
    SELECT DISTINCT t.area_id, h.observed_at
    FROM hydrant AS h
    JOIN assignments AS a ON a.device_id = h.device_id AND h.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR h.observed_at < a.valid_to)
    JOIN things AS t ON t.thing_id = a.thing_id
    WHERE coalesce(h.open_state, false) OR coalesce(h.flow_m3h > 1, false)
),
net AS (
    SELECT n.area_id, n.night, n.starts_at, n.ends_at, n.flow - coalesce(d.flow, 0) AS flow,
        isodow(n.night) >= 6 AS weekend, row_number() OVER (PARTITION BY n.area_id ORDER BY n.night) AS number
    FROM inflow_night AS n
    LEFT JOIN drawn AS d ON d.area_id = n.area_id AND d.night = n.night
    CROSS JOIN run AS r
    WHERE n.ends_at <= r.as_of AND NOT EXISTS (
        FROM opened AS o WHERE o.area_id = n.area_id
            AND o.observed_at BETWEEN n.starts_at - INTERVAL 1 HOUR AND n.ends_at + INTERVAL 1 HOUR
    )
),
baseline AS (
    SELECT n.area_id, n.number, median(b.flow) AS usual, 1.4826 * mad(b.flow) AS spread,
        greatest(0, median(b.flow) FILTER (WHERE b.weekend) - median(b.flow)) AS weekend_more
    FROM net AS n JOIN net AS b ON b.area_id = n.area_id AND b.number BETWEEN n.number - 28 AND n.number - 1
    GROUP BY n.area_id, n.number
    HAVING count(*) >= 7
),
limit_of AS (
    SELECT *, usual + greatest(5 * spread, 0.1 * abs(usual), 0.3) AS bound FROM baseline
),
later AS (  -- every later night against the baseline of the night on which a leak may have begun
    SELECT b.area_id, b.number AS first, b.usual, b.spread, b.bound, n.number, n.night, n.starts_at, n.ends_at, n.flow,
        n.flow - CASE WHEN n.weekend THEN coalesce(b.weekend_more, 0) ELSE 0 END > b.bound AS above, lag(above) OVER w AS above_before
    FROM limit_of AS b JOIN net AS n ON n.area_id = b.area_id AND n.number >= b.number
    WINDOW w AS (PARTITION BY b.area_id, b.number ORDER BY n.number)
),
ended AS (
    SELECT area_id, first, min(number) - 1 AS over FROM later WHERE NOT above AND NOT above_before GROUP BY area_id, first
),
episode AS (
    SELECT l.area_id, l.first, any_value(l.usual) AS usual, any_value(l.spread) AS spread, any_value(e.over) AS over,
        bool_and(l.above) FILTER (WHERE l.number <= l.first + 1) AND count(*) >= 2 AS begins,
        min(l.starts_at) AS since, count(*) FILTER (WHERE l.above) AS nights, max(l.ends_at) AS seen,
        median(l.flow) FILTER (WHERE l.above) AS now, min(l.ends_at) FILTER (WHERE l.number = e.over) AS until
    FROM later AS l LEFT JOIN ended AS e ON e.area_id = l.area_id AND e.first = l.first
    WHERE e.over IS NULL OR l.number <= e.over
    GROUP BY l.area_id, l.first
),
leak AS (  -- only the first night of an episode begins it
    SELECT * FROM episode AS e
    WHERE e.begins AND NOT EXISTS (
        FROM episode AS o WHERE o.area_id = e.area_id AND o.begins AND o.first < e.first AND coalesce(o.over, e.first) >= e.first
    )
),
shaft AS (
    SELECT area_id, min(thing_id) AS thing_id FROM things WHERE family = 'district_meter' GROUP BY area_id
),
chart AS (
    SELECT area_id, list(round(flow, 3) ORDER BY night)[-28:] AS chart FROM net GROUP BY area_id
)
SELECT s.thing_id, NULL AS device_id, l.area_id, l.since, l.until,
    CASE WHEN l.now - l.usual >= 5 THEN 'critical' ELSE 'warning' END AS severity,
    round(1000 * (l.now - l.usual), 1) AS litres_per_hour,
    round((l.now - l.usual) * (epoch(coalesce(l.until, r.as_of)) - epoch(l.since)) / 3600, 2) AS volume_m3,
    round((l.now - l.usual) * (epoch(coalesce(l.until, r.as_of)) - epoch(l.since)) / 3600 * r.water_eur_m3, 2) AS eur,
    round(least(0.99, 0.6 + 0.05 * l.nights + 0.02 * (l.now - l.usual) / greatest(l.spread, 0.05)), 2) AS confidence,
    {
        'baseline_m3h': round(l.usual, 3), 'spread_m3h': round(l.spread, 3), 'now_m3h': round(l.now, 3), 'nights': l.nights,
        'chart': c.chart
    } AS evidence,
    l.until IS NULL AS going_on
FROM leak AS l
LEFT JOIN shaft AS s ON s.area_id = l.area_id
JOIN chart AS c ON c.area_id = l.area_id
CROSS JOIN run AS r
WHERE coalesce(l.until, r.as_of) > r.as_of - INTERVAL 35 DAY
