/*
id = "waste.bin_overflow"
kind = "detector"
version = 1
grain = "container"
reads = ["waste_container", "assignments", "things", "run"]
cadence = "hour"

[title]
en = "Container overflows"
sl = "Prepoln zabojnik"

[meaning]
en = "A container has stood at 95 % or more for at least six hours. It counts as full until it falls under 85 %."
sl = "Zabojnik je vsaj šest ur napolnjen 95 % ali več. Za polnega velja, dokler ne pade pod 85 %."

[says.what]
en = "Container full"
sl = "Poln zabojnik"

[says.why]
en = "Full for {hours:.0f} h (highest {highest_pct:.0f} %). It filled by {rate_pct_day:.0f} % a day and was last emptied {days_since_emptied:.1f} days before."
sl = "Poln že {hours:.0f} h (največ {highest_pct:.0f} %). Polnil se je po {rate_pct_day:.0f} % na dan, zadnjič pa je bil izpraznjen {days_since_emptied:.1f} dneva prej."

[says.chart]
en = "fill every six hours, %"
sl = "napolnjenost vsakih šest ur, %"

[[example]]
title = "Full since noon; one that touches the rim for an hour is not"
as_of = 2026-03-03T00:00:00Z
[example.given]
things = "SELECT 'b' || i AS thing_id, 'waste_container' AS family, 'east' AS area_id, '{}' AS attributes FROM range(2) AS r (i)"
assignments = "SELECT 'd' || i AS device_id, 'b' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
waste_container = """
SELECT 'd' || i AS device_id, t AS observed_at, CASE WHEN i = 0 THEN least(97, 61 + 3 * hour(t)) WHEN hour(t) = 12 THEN 96 ELSE 40 END AS fill_pct
FROM range(TIMESTAMPTZ '2026-03-02 00:00:00Z', TIMESTAMPTZ '2026-03-03 00:00:00Z', INTERVAL 1 HOUR) AS r (t), range(2) AS b (i)"""
[[example.expect]]
thing_id = "b0"
since = 2026-03-02T12:00:00Z
going_on = true
*/
WITH reading AS (
    SELECT a.thing_id, w.device_id, w.observed_at, w.fill_pct,
        lag(w.fill_pct) OVER (PARTITION BY a.thing_id ORDER BY w.observed_at) AS before
    FROM waste_container AS w
    JOIN assignments AS a ON a.device_id = w.device_id AND w.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR w.observed_at < a.valid_to)
    CROSS JOIN run AS r
    WHERE w.fill_pct IS NOT NULL AND w.quality NOT IN (4, 9) AND w.observed_at > r.as_of - INTERVAL 35 DAY
),
state AS (
    SELECT *, coalesce(last_value(CASE WHEN fill_pct >= 95 THEN true WHEN fill_pct < 85 THEN false END IGNORE NULLS)
        OVER (PARTITION BY thing_id ORDER BY observed_at), false) AS is_full,
        max(CASE WHEN fill_pct < before - 25 THEN observed_at END) OVER (PARTITION BY thing_id ORDER BY observed_at) AS emptied_at
    FROM reading
),
island AS (
    SELECT *, count(*) FILTER (WHERE NOT is_full) OVER (PARTITION BY thing_id ORDER BY observed_at) AS number,
        lead(observed_at) OVER (PARTITION BY thing_id ORDER BY observed_at) AS next_at
    FROM state
),
episode AS (
    SELECT thing_id, any_value(device_id) AS device_id, min(observed_at) AS since, max(observed_at) AS seen,
        CASE WHEN count(next_at) = count(*) THEN max(next_at) END AS until, max(fill_pct) AS highest,
        min(emptied_at) AS emptied_at, arg_min(fill_pct, observed_at) AS at_start
    FROM island WHERE is_full
    GROUP BY thing_id, number
),
chart AS (
    SELECT thing_id, list(fill ORDER BY starts_at)[-40:] AS chart
    FROM (
        SELECT thing_id, time_bucket(INTERVAL 6 HOUR, observed_at) AS starts_at, round(avg(CAST(fill_pct AS DECIMAL(18, 6))), 0) AS fill
        FROM reading GROUP BY thing_id, starts_at
    ) GROUP BY thing_id
)
SELECT e.thing_id, e.device_id, t.area_id, e.since, e.until, 'warning' AS severity,
    CAST(NULL AS DOUBLE) AS litres_per_hour, CAST(NULL AS DOUBLE) AS volume_m3, CAST(NULL AS DOUBLE) AS eur,
    round(least(0.99, 0.8 + (epoch(e.seen) - epoch(e.since)) / 3600 / 100), 2) AS confidence,
    {
        'hours': round((epoch(coalesce(e.until, r.as_of)) - epoch(e.since)) / 3600, 1), 'highest_pct': e.highest,
        'rate_pct_day': round(e.at_start / nullif((epoch(e.since) - epoch(e.emptied_at)) / 86400, 0), 1),
        'days_since_emptied': round((epoch(e.since) - epoch(e.emptied_at)) / 86400, 1), 'chart': c.chart
    } AS evidence,
    e.until IS NULL AS going_on
FROM episode AS e
JOIN things AS t ON t.thing_id = e.thing_id
JOIN chart AS c ON c.thing_id = e.thing_id
CROSS JOIN run AS r
WHERE e.seen - e.since >= INTERVAL 6 HOUR
