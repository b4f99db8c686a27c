/*
id = "traffic.counter_stuck"
kind = "detector"
version = 3
grain = "counter"
reads = ["traffic_counter", "assignments", "things", "run"]
references = ["FHWA TMAS checks consecutive hours of zero; here the run is held against what this lane usually counts at that hour"]
cadence = "hour"
refractory_min = 4320

[title]
en = "Traffic counter stuck"
sl = "Števec prometa je obtičal"

[meaning]
en = "A lane of a counter showed zero, or one and the same number, for at least two hours, and chance would not do that: at the counts usual for these hours on workdays or free days it would happen less than once in a billion runs. Where fewer vehicles came in the twelve hours before zeros, in snow or past a closed road, so many fewer are expected. Lanes of one counter make one alarm."
sl = "Pas števca je vsaj dve uri kazal nič ali eno in isto število, kar ni naključje: pri številih, običajnih za te ure ob delavnikih ali prostih dneh, bi se to zgodilo manj kot enkrat na milijardo. Če je bilo v dvanajstih urah pred ničlami manj vozil, v snegu ali ob zaprti cesti, se jih pričakuje toliko manj. Pasovi enega števca dajo en alarm."

[says.what]
en = "Traffic counter stuck"
sl = "Števec prometa je obtičal"

[says.why]
en = "Lane {channel} showed {value} for {hours:.0f} h without a change (intervals: {intervals}); vehicles usual in that time: {expected:.0f}."
sl = "Pas {channel} je {hours:.0f} h nespremenjeno kazal {value} (intervalov: {intervals}); običajno število vozil v tem času: {expected:.0f}."

[says.chart]
en = "vehicles an hour in the worst lane"
sl = "vozila na uro na najslabšem pasu"

[[example]]
title = "A lane shows zero from six in the morning; the quiet night before it is no fault"
as_of = 2026-03-12T15:00:00Z
[example.given]
things = [{ thing_id = "bridge", family = "traffic_counter", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "d", thing_id = "bridge", valid_from = "2026-01-01T00:00:00Z" }]
traffic_counter = """
SELECT 'd' AS device_id, '1' AS lane, 'in' AS direction, 'all' AS vehicle_class, t AS observed_at, 900 AS interval_s,
    CASE WHEN t >= TIMESTAMPTZ '2026-03-12 06:00:00Z' OR hour(t) < 5 THEN 0 ELSE 10 + (minute(t) // 15 * 7 + hour(t)) % 5 END AS count
FROM range(TIMESTAMPTZ '2026-03-01 00:00:00Z', TIMESTAMPTZ '2026-03-12 15:00:00Z', INTERVAL 15 MINUTE) AS r (t)"""
[[example.expect]]
thing_id = "bridge"
since = 2026-03-12T06:00:00Z
going_on = true
*/
WITH reading AS (
    SELECT a.thing_id, c.device_id, coalesce(c.lane, '') AS lane, coalesce(c.direction, '') AS direction,
        coalesce(c.vehicle_class, '') AS class, c.observed_at, c.count AS vehicles,
        c.observed_at + INTERVAL 1 SECOND * coalesce(c.interval_s, 900) AS ends_at,
        isodow(c.observed_at AT TIME ZONE r.zone) >= 6 AS free_day, hour(c.observed_at AT TIME ZONE r.zone) AS hour
    FROM traffic_counter AS c
    JOIN assignments AS a ON a.device_id = c.device_id AND c.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR c.observed_at < a.valid_to)
    CROSS JOIN run AS r
    WHERE c.count IS NOT NULL AND c.quality NOT IN (4, 9) AND c.observed_at > r.as_of - INTERVAL 63 DAY
),
changed AS (
    SELECT *, vehicles IS DISTINCT FROM lag(vehicles) OVER w AS changes,
        lead(observed_at) OVER w IS NULL AS is_last
    FROM reading
    WINDOW w AS (PARTITION BY thing_id, lane, direction, class ORDER BY observed_at)
),
numbered AS (
    SELECT *, count(*) FILTER (WHERE changes) OVER (PARTITION BY thing_id, lane, direction, class ORDER BY observed_at) AS number
    FROM changed
),
same AS (
    SELECT thing_id, lane, direction, class, number, any_value(device_id) AS device_id, any_value(vehicles) AS value,
        min(observed_at) AS since, max(ends_at) AS until, count(*) AS intervals, bool_or(is_last) AS going_on
    FROM numbered
    GROUP BY thing_id, lane, direction, class, number
    HAVING max(ends_at) - min(observed_at) >= INTERVAL 2 HOUR AND count(*) >= 8
),
hour_of AS (  -- the hours that a run covers, and the twelve before it
    SELECT s.thing_id, s.lane, s.direction, s.class, s.number, n.observed_at >= s.since AS within, n.free_day, n.hour, count(*) AS intervals,
        sum(n.vehicles) AS vehicles
    FROM same AS s
    JOIN numbered AS n ON n.thing_id = s.thing_id AND n.lane = s.lane AND n.direction = s.direction AND n.class = s.class
        AND n.observed_at >= s.since - INTERVAL 12 HOUR AND n.observed_at < s.until
    GROUP BY ALL
),
usual AS (  -- the lower quarter of what was counted in such hours before the run
    SELECT h.*, s.value, quantile_cont(b.vehicles, 0.25) AS low, median(b.vehicles) AS middle
    FROM hour_of AS h
    JOIN same AS s USING (thing_id, lane, direction, class, number)
    JOIN reading AS b ON b.thing_id = h.thing_id AND b.lane = h.lane AND b.direction = h.direction AND b.class = h.class
        AND b.hour = h.hour AND b.free_day = h.free_day AND b.observed_at < s.since
    GROUP BY ALL
    HAVING count(*) >= 8
),
surprise AS (  -- minus the logarithm of the chance: zeros, of so many as came before, or equal Poisson counts in a row; traffic comes
    -- in bursts, so zeros are believed later
    SELECT thing_id, lane, direction, class, number, sum(intervals * middle) FILTER (within) AS expected,
        sum(intervals * middle) FILTER (NOT within) AS due, sum(vehicles) FILTER (NOT within) AS came,
        CASE WHEN any_value(value) = 0 THEN sum(intervals * low) FILTER (within) * least(1, coalesce(came / nullif(due, 0), 1))
            ELSE sum(intervals * 0.5 * ln(1 + 2 * pi() * low)) FILTER (within) END AS score
    FROM usual
    GROUP BY ALL
),
stuck AS (
    SELECT s.*, p.expected, p.score, concat_ws(' ', nullif(s.lane, ''), nullif(s.direction, ''), nullif(nullif(s.class, ''), 'all'))
        AS channel
    FROM same AS s JOIN surprise AS p USING (thing_id, lane, direction, class, number)
    CROSS JOIN run AS r
    WHERE p.score >= CASE WHEN s.value = 0 THEN 60 ELSE 21 END AND s.until > r.as_of - INTERVAL 35 DAY
),
joined AS (  -- lanes of a counter that stand still at the same time are one fault
    SELECT *, count(*) FILTER (WHERE since > before OR before IS NULL) OVER (PARTITION BY thing_id ORDER BY since, until, channel)
        AS fault
    FROM (
        SELECT *, max(until) OVER (PARTITION BY thing_id ORDER BY since, until, channel
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
        FROM stuck
    )
),
fault AS (
    SELECT thing_id, any_value(device_id) AS device_id, fault, min(since) AS since, max(until) AS until,
        bool_or(going_on) AS going_on, list(DISTINCT channel ORDER BY channel) AS channels, sum(expected) AS expected,
        max(intervals) AS intervals, arg_max(value, score) AS value, max(score) AS score,
        arg_max({'lane': lane, 'direction': direction, 'class': class}, score) AS worst
    FROM joined GROUP BY thing_id, fault
),
chart AS (
    SELECT f.thing_id, f.fault, list(h.vehicles ORDER BY h.starts_at)[:60] AS chart
    FROM fault AS f
    JOIN (
        SELECT thing_id, lane, direction, class, date_trunc('hour', observed_at) AS starts_at, sum(vehicles) AS vehicles
        FROM reading GROUP BY ALL
    ) AS h ON h.thing_id = f.thing_id AND h.lane = f.worst.lane AND h.direction = f.worst.direction AND h.class = f.worst.class
        AND h.starts_at BETWEEN f.since - INTERVAL 36 HOUR AND f.until
    GROUP BY f.thing_id, f.fault
)
SELECT f.thing_id, f.device_id, t.area_id, f.since, CASE WHEN f.going_on THEN NULL ELSE f.until END AS until,
    'warning' AS severity, CAST(NULL AS DOUBLE) AS litres_per_hour, CAST(NULL AS DOUBLE) AS volume_m3,
    CAST(NULL AS DOUBLE) AS eur, round(least(0.99, 0.8 + f.score / 500), 2) AS confidence,
    {
        'channel': list_aggregate(f.channels, 'string_agg', ', '), 'value': f.value,
        'hours': round((epoch(f.until) - epoch(f.since)) / 3600, 1), 'intervals': f.intervals,
        'expected': round(f.expected, 0), 'score': round(f.score, 1), 'chart': c.chart
    } AS evidence,
    f.going_on
FROM fault AS f
JOIN things AS t ON t.thing_id = f.thing_id
JOIN chart AS c ON c.thing_id = f.thing_id AND c.fault = f.fault
