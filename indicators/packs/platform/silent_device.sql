/*
id = "platform.silent_device"
kind = "detector"
version = 2
grain = "device, or a gateway for all its devices"
reads = ["heard", "expected", "devices", "assignments", "things", "run"]
cadence = "hour"
explains = ["platform.silent_device"]

[title]
en = "Device silent"
sl = "Naprava molči"

[meaning]
en = "A device in service has not been heard for much longer than its own rhythm: for 24 of its usual pauses (at least six hours, at most a day), three declared intervals and twice the third longest pause of its last 35 days, and the time by which its readings usually arrive late. Where most of a gateway's devices have fallen silent for six hours, the gateway is named alone; where most of the town has, or most devices of a family, one alarm without a place says so."
sl = "Naprava v obratovanju se ni oglasila veliko dlje od svojega ritma: 24 svojih običajnih pavz (vsaj šest ur, največ en dan), tri napovedane intervale in dvakratnik tretje najdaljše pavze zadnjih 35 dni ter čas, za kolikor njeni odčitki običajno zamujajo. Če večina naprav enega prehoda utihne za šest ur, je imenovan samo prehod; če utihne večina mesta ali večina naprav ene družine, to pove en alarm brez kraja."

[says.what]
en = "Device silent"
sl = "Naprava molči"

[says.why]
en = "Nothing heard for {hours:.0f} h (devices: {devices}); they usually speak at least every {pause_h:.1f} h."
sl = "Že {hours:.0f} h tišina (naprav: {devices}); običajno se oglasijo vsaj vsakih {pause_h:.1f} h."

[[example]]
title = "Two of three containers speak; the third stopped yesterday"
as_of = 2026-03-04T12:00:00Z
[example.given]
things = "SELECT 'b' || i AS thing_id, 'waste_container' AS family, 'east' AS area_id, '{}' AS attributes FROM range(3) AS r (i)"
devices = "SELECT 'd' || i AS device_id, 'waste_container' AS family FROM range(3) AS r (i)"
assignments = "SELECT 'd' || i AS device_id, 'b' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(3) AS r (i)"
waste_container = """
SELECT 'd' || i AS device_id, t AS observed_at, t + INTERVAL 1 MINUTE AS received_at, 20.0 AS fill_pct
FROM range(TIMESTAMPTZ '2026-03-01 12:00:00Z', TIMESTAMPTZ '2026-03-04 12:00:00Z', INTERVAL 1 HOUR) AS r (t), range(3) AS b (i)
WHERE i > 0 OR t <= TIMESTAMPTZ '2026-03-03 11:00:00Z'"""
[[example.expect]]
device_id = "d0"
thing_id = "b0"
since = 2026-03-03T11:00:00Z
going_on = true

[[example]]
title = "A gateway went off with its three devices: one alarm"
as_of = 2026-03-04T12:00:00Z
[example.given]
things = "SELECT 'b' || i AS thing_id, 'waste_container' AS family, 'east' AS area_id, '{}' AS attributes FROM range(3) AS r (i)"
devices = "SELECT 'd' || i AS device_id, 'waste_container' AS family, 'gw' AS gateway FROM range(3) AS r (i)"
assignments = "SELECT 'd' || i AS device_id, 'b' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(3) AS r (i)"
waste_container = """
SELECT 'd' || i AS device_id, t AS observed_at, t + INTERVAL 1 MINUTE AS received_at, 20.0 AS fill_pct
FROM range(TIMESTAMPTZ '2026-03-01 12:00:00Z', TIMESTAMPTZ '2026-03-03 12:00:00Z', INTERVAL 1 HOUR) AS r (t), range(3) AS b (i)"""
[[example.expect]]
device_id = "gw"
since = 2026-03-03T11:00:00Z

[[example]]
title = "Everything fell silent: one alarm without a place"
as_of = 2026-03-04T12:00:00Z
[example.given]
things = "SELECT 'b' || i AS thing_id, 'waste_container' AS family, 'east' AS area_id, '{}' AS attributes FROM range(12) AS r (i)"
devices = "SELECT 'd' || i AS device_id, 'waste_container' AS family FROM range(12) AS r (i)"
assignments = "SELECT 'd' || i AS device_id, 'b' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(12) AS r (i)"
waste_container = """
SELECT 'd' || i AS device_id, t AS observed_at, t + INTERVAL 1 MINUTE AS received_at, 20.0 AS fill_pct
FROM range(TIMESTAMPTZ '2026-03-01 12:00:00Z', TIMESTAMPTZ '2026-03-03 12:00:00Z', INTERVAL 1 HOUR) AS r (t), range(12) AS b (i)"""
[[example.expect]]
severity = "critical"
since = 2026-03-03T11:00:00Z
going_on = true

[[example]]
title = "The server of one family fell silent, the others speak: one alarm without a place"
as_of = 2026-03-04T12:00:00Z
[example.given]
things = "SELECT 'b' || i AS thing_id, CASE WHEN i < 12 THEN 'waste_container' ELSE 'noise' END AS family, 'east' AS area_id, '{}' AS attributes FROM range(24) AS r (i)"
devices = "SELECT 'd' || i AS device_id, CASE WHEN i < 12 THEN 'waste_container' ELSE 'noise' END AS family FROM range(24) AS r (i)"
assignments = "SELECT 'd' || i AS device_id, 'b' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(24) AS r (i)"
waste_container = """
SELECT 'd' || i AS device_id, t AS observed_at, t + INTERVAL 1 MINUTE AS received_at, 20.0 AS fill_pct
FROM range(TIMESTAMPTZ '2026-03-01 12:00:00Z', TIMESTAMPTZ '2026-03-04 03:00:00Z', INTERVAL 1 HOUR) AS r (t), range(12) AS b (i)"""
noise = """
SELECT 'd' || i AS device_id, t AS observed_at, t + INTERVAL 1 MINUTE AS received_at, 50.0 AS noise_laeq_db
FROM range(TIMESTAMPTZ '2026-03-01 12:00:00Z', TIMESTAMPTZ '2026-03-04 12:00:00Z', INTERVAL 1 HOUR) AS r (t), range(12, 24) AS b (i)"""
[[example.expect]]
severity = "critical"
since = 2026-03-04T02:00:00Z
going_on = true
*/
WITH pause AS (
    SELECT h.family, h.device_id, h.observed_at,
        epoch(h.observed_at) - epoch(lag(h.observed_at) OVER (PARTITION BY h.family, h.device_id ORDER BY h.observed_at)) AS seconds,
        least(172800, greatest(0, coalesce(epoch(h.received_at) - epoch(h.observed_at), 0))) AS late
    FROM heard AS h CROSS JOIN run AS r
    WHERE h.observed_at > r.as_of - INTERVAL 35 DAY
),
rhythm AS (
    SELECT family, device_id, max(observed_at) AS last_heard, quantile_cont(seconds, [0.5, 0.99]) AS usual, max(seconds, 3)[3] AS third,
        quantile_cont(late, 0.95) AS late
    FROM pause GROUP BY family, device_id
),
silent AS (  -- many together are believed sooner than one
    SELECT a.device_id, a.thing_id, d.gateway, d.family,
        coalesce(y.last_heard, greatest(a.valid_from, r.as_of - INTERVAL 35 DAY)) AS since, coalesce(y.usual[2], e.seconds) AS longest,
        epoch(r.as_of) - epoch(coalesce(y.last_heard, a.valid_from)) - coalesce(y.late, 86400) AS mute_s,
        mute_s > greatest(21600, 3 * e.seconds, 2.5 * coalesce(y.usual[2], 0)) AS is_mute,
        mute_s > greatest(21600, 3 * e.seconds, least(86400, 24 * coalesce(y.usual[1], 0)), 2 * coalesce(y.third, 0)) AS is_silent
    FROM assignments AS a
    JOIN devices AS d ON d.device_id = a.device_id
    JOIN expected AS e ON e.family = d.family
    CROSS JOIN run AS r
    LEFT JOIN rhythm AS y ON y.device_id = a.device_id AND y.family = d.family
    WHERE a.valid_to IS NULL
),
behind AS (
    SELECT *, count(*) FILTER (WHERE is_mute) OVER w AS mute, count(*) OVER w AS together,
        gateway IS NOT NULL AND mute >= 3 AND mute >= 0.8 * together AS gateway_off,
        count(*) FILTER (WHERE is_mute) OVER () AS all_mute, count(*) FILTER (WHERE is_mute) OVER f AS family_mute,
        all_mute >= 10 AND all_mute >= 0.8 * count(*) OVER ()
            OR NOT gateway_off AND family_mute >= 10 AND family_mute >= 0.8 * count(*) OVER f AS server_off
    FROM silent
    WINDOW w AS (PARTITION BY gateway), f AS (PARTITION BY family)
),
named AS (
    SELECT CASE WHEN NOT gateway_off AND NOT server_off THEN thing_id END AS thing_id,
        CASE WHEN server_off THEN NULL WHEN gateway_off THEN gateway ELSE device_id END AS device_id,
        max(since) AS since, max(longest) AS longest, count(*) AS devices, list(DISTINCT family ORDER BY family) AS families
    FROM behind WHERE is_silent OR is_mute AND (gateway_off OR server_off)
    GROUP BY 1, 2
)
SELECT n.thing_id, n.device_id, t.area_id, n.since, CAST(NULL AS TIMESTAMPTZ) AS until,
    CASE WHEN n.device_id IS NULL THEN 'critical' WHEN n.devices > 1 THEN 'warning' ELSE 'info' END AS severity,
    CAST(NULL AS DOUBLE) AS litres_per_hour, CAST(NULL AS DOUBLE) AS volume_m3, CAST(NULL AS DOUBLE) AS eur, 0.9 AS confidence,
    {
        'hours': round((epoch(r.as_of) - epoch(n.since)) / 3600, 1), 'pause_h': round(n.longest / 3600, 2), 'devices': n.devices,
        'families': n.families
    } AS evidence,
    true AS going_on
FROM named AS n
LEFT JOIN things AS t ON t.thing_id = n.thing_id
CROSS JOIN run AS r
