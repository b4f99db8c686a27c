/*
id = "waste.not_emptied"
kind = "detector"
version = 2
grain = "container"
reads = ["waste_container", "emptyings", "assignments", "things", "local_days", "run"]
references = ["Rule of the view emptyings"]
cadence = "hour"
explains = ["waste.bin_overflow"]

[title]
en = "Container not emptied"
sl = "Zabojnik ni izpraznjen"

[meaning]
en = "A container with waste in it (30 % or more) was not emptied on a day of its plan, nor on the day before, and was heard after 18:00 of that day before it was. The plan is the attribute collection_days of its thing: weekdays as 1,4 (1 is Monday), mon thu, or pon čet; a holiday is no day of it. Without one nothing is said: its own rhythm was tried, and called too many late. It closes with the next emptying."
sl = "Zabojnik z odpadki (30 % ali več) ni bil izpraznjen na dan odvoza niti dan prej, slišan pa je bil še po 18. uri tega dne in pred praznjenjem. Dneve odvoza pove lastnost collection_days objekta: 1,4 (1 je ponedeljek), pon čet ali mon thu; praznik ni dan odvoza. Brez nje alarma ni: po lastnem ritmu zabojnika bi bilo preveč lažnih. Zapre se z naslednjim praznjenjem."

[says.what]
en = "Container not emptied"
sl = "Zabojnik ni izpraznjen"

[says.why]
en = "It was to be emptied by {due} and stood at {fill_pct:.0f} %; the last emptying was {days_since_emptied:.1f} days before."
sl = "Izpraznjen naj bi bil do {due}, bil je {fill_pct:.0f} % poln; zadnje praznjenje je bilo {days_since_emptied:.1f} dneva prej."

[says.chart]
en = "fill every six hours, %"
sl = "napolnjenost vsakih šest ur, %"

[[example]]
title = "To be emptied on Mondays and Thursdays: nobody came on Thursday, the fifth; the other was nearly empty"
as_of = 2026-03-06T12:00:00Z
[example.given]
things = """SELECT 'b' || i AS thing_id, 'waste_container' AS family, 'east' AS area_id, '{"collection_days": "1,4"}' AS attributes FROM range(2) AS r (i)"""
assignments = "SELECT 'd' || i AS device_id, 'b' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
waste_container = """
SELECT 'd' || i AS device_id, t AS observed_at, CASE WHEN t < TIMESTAMPTZ '2026-03-02 09:00:00Z' THEN 60.0 ELSE CASE WHEN i = 0 THEN 0.4 ELSE 0.1 END * date_diff('hour', TIMESTAMPTZ '2026-03-02 09:00:00Z', t) END AS fill_pct
FROM range(TIMESTAMPTZ '2026-03-01 12:00:00Z', TIMESTAMPTZ '2026-03-06 12:00:00Z', INTERVAL 3 HOUR) AS r (t), range(2) AS b (i)"""
[[example.expect]]
thing_id = "b0"
since = 2026-03-05T23:00:00Z
going_on = true

[[example]]
title = "Days by name: one was emptied, one is silent since the morning, the third still stands there; nobody comes on the holiday, the eighth of February"
as_of = 2027-02-10T12:00:00Z
[example.given]
things = """SELECT 'b' || i AS thing_id, 'waste_container' AS family, 'east' AS area_id, '{"collection_days": "Pon, TUE"}' AS attributes FROM range(3) AS r (i)"""
assignments = "SELECT 'd' || i AS device_id, 'b' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(3) AS r (i)"
waste_container = """
SELECT 'd' || i AS device_id, t AS observed_at, CASE WHEN t < TIMESTAMPTZ '2027-02-03 09:00:00Z' OR i = 0 AND t > TIMESTAMPTZ '2027-02-09 09:00:00Z' THEN 5.0 ELSE 60.0 END AS fill_pct
FROM range(TIMESTAMPTZ '2027-02-02 12:00:00Z', TIMESTAMPTZ '2027-02-10 12:00:00Z', INTERVAL 3 HOUR) AS r (t), range(3) AS b (i)
WHERE i <> 1 OR t < TIMESTAMPTZ '2027-02-09 09:00:00Z'"""
[[example.expect]]
thing_id = "b2"
since = 2027-02-09T23:00:00Z
going_on = true

[[example]]
title = "No plan: nobody says when"
as_of = 2026-03-06T12:00:00Z
given.things = [{ thing_id = "b", family = "waste_container", attributes = "{}" }]
given.assignments = [{ device_id = "d", thing_id = "b", valid_from = "2026-01-01T00:00:00Z" }]
given.waste_container = [{ device_id = "d", observed_at = "2026-03-06T11:00:00Z", fill_pct = 80.0 }]
*/
WITH reading AS (
    SELECT a.thing_id, w.device_id, w.observed_at, w.fill_pct
    FROM waste_container AS w
    JOIN assignments AS a ON a.device_id = w.device_id AND w.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR w.observed_at < a.valid_to)
    WHERE w.fill_pct IS NOT NULL AND w.quality NOT IN (4, 9)
),
plan AS (
    SELECT thing_id, area_id, list_transform(
        regexp_extract_all(replace(lower(json_extract_string(attributes, '$.collection_days')), 'č', 'c'),
            '[1-7]|mon|tue|wed|thu|fri|sat|sun|pon|tor|sre|cet|pet|sob|ned'),
        lambda d: coalesce(try_cast(d AS BIGINT), 1 + (list_position(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun',
            'pon', 'tor', 'sre', 'cet', 'pet', 'sob', 'ned'], d) - 1) % 7)) AS days
    FROM things WHERE family = 'waste_container'
),
due AS (
    SELECT p.thing_id, p.area_id, d.ends_at AS due_at
    FROM plan AS p CROSS JOIN run AS r
    JOIN local_days AS d ON list_contains(p.days, isodow(d.local_date)) AND d.local_date BETWEEN r.today - 40 AND r.today - 1
    WHERE d.holiday_sl IS NULL AND NOT EXISTS (
        FROM emptyings AS e WHERE e.thing_id = p.thing_id AND e.emptied_at >= d.starts_at - INTERVAL 1 DAY AND e.emptied_at < d.ends_at)
),
missed AS (  -- with the emptying that came at last
    SELECT d.thing_id, d.area_id, d.due_at,
        (SELECT min(e.emptied_at) FROM emptyings AS e WHERE e.thing_id = d.thing_id AND e.emptied_at >= d.due_at) AS until
    FROM due AS d CROSS JOIN run AS r
    WHERE d.due_at <= r.as_of
        AND d.due_at >= (SELECT min(p.observed_at) FROM reading AS p WHERE p.thing_id = d.thing_id)
),
heard AS (  -- behind the round and before the emptying: what was silent meanwhile may have been emptied in time
    SELECT m.*, arg_min(p.fill_pct, p.observed_at) AS fill, arg_min(p.device_id, p.observed_at) AS device_id
    FROM missed AS m JOIN reading AS p ON p.thing_id = m.thing_id AND p.observed_at >= m.due_at - INTERVAL 6 HOUR
        AND (m.until IS NULL OR p.observed_at < m.until)
    GROUP BY ALL
),
known AS (  -- days that were missed in a row are one
    SELECT thing_id, area_id, until, min(due_at) AS since, arg_min(fill, due_at) AS fill, arg_min(device_id, due_at) AS device_id
    FROM heard WHERE fill >= 30 GROUP BY thing_id, area_id, until
),
chart AS (
    SELECT thing_id, list(fill ORDER BY starts_at)[-40:] AS chart
    FROM (
        SELECT thing_id, time_bucket(INTERVAL 6 HOUR, observed_at) AS starts_at, round(avg(CAST(fill_pct AS DECIMAL(18, 6))), 0) AS fill
        FROM reading GROUP BY thing_id, starts_at
    ) GROUP BY thing_id
)
SELECT k.thing_id, k.device_id, k.area_id, k.since, k.until, 'warning' AS severity,
    CAST(NULL AS DOUBLE) AS litres_per_hour, CAST(NULL AS DOUBLE) AS volume_m3, CAST(NULL AS DOUBLE) AS eur,
    0.95 AS confidence,
    {
        'due': strftime(k.since AT TIME ZONE r.zone, '%Y-%m-%d %H:%M'), 'fill_pct': round(k.fill, 0),
        'days_since_emptied': (SELECT round(epoch(k.since - max(e.emptied_at)) / 86400, 1) FROM emptyings AS e
            WHERE e.thing_id = k.thing_id AND e.emptied_at < k.since), 'chart': c.chart
    } AS evidence,
    k.until IS NULL AS going_on
FROM known AS k
JOIN chart AS c ON c.thing_id = k.thing_id
CROSS JOIN run AS r
