/*
id = "platform.sensor_failure"
kind = "detector"
version = 2
grain = "device"
reads = ["measured", "waste_container", "assignments", "run"]
references = ["Leaps beyond the learned range by more than its width, and rests four times longer than any before. docs/detection.md has what it finds in the runs of a laboratory"]
cadence = "hour"
method = "sensor_failure"
subject = "device"
memory_days = 100

[title]
en = "Sensor failed"
sl = "Okvara tipala"

[meaning]
en = "What a device measures (temperature, humidity, level, water quality) leapt out of everything it ever showed, by more than the width of that range, and mostly stays there; or anything that it measures, also pressure, flow, air, noise and fill, stands at one and the same value for 24 readings and four times longer than it used to, where it does not rest by itself (zero, saturated air). It takes 1,000 readings to know a device. What leaps with a burst, a fire or a feast is told by its rests alone."
sl = "To, kar naprava meri (temperatura, vlažnost, gladina, kakovost vode), je skočilo izven vsega, kar je kdaj pokazala, za več kot širino tega razpona, in tam večinoma ostaja; ali pa katera koli njena količina, tudi tlak, pretok, zrak, hrup in napolnjenost, 24 odčitkov in štirikrat dlje kot prej kaže eno in isto vrednost, pri kateri sicer ne miruje (nič, nasičen zrak). Za spoznavanje naprave je potrebnih 1000 odčitkov. Kar skoči ob okvari cevi, požaru ali prazniku, je javljeno le, če miruje."

[says.what]
en = "Sensor failed"
sl = "Okvara tipala"

[says.why]
en = "{measure_en}: {value:g} for {hours:.1f} h; before that always between {low:g} and {high:g}, and at rest for at most {rest} readings (now {same})."
sl = "{measure_sl}: {value:g} že {hours:.1f} h; prej vedno med {low:g} in {high:g}, najdaljši niz enakih odčitkov pa {rest} (zdaj {same})."

[says.chart]
en = "last 48 readings of this quantity"
sl = "zadnjih 48 odčitkov te količine"

[[example]]
title = "A level sensor shows -120 at once; the other one goes on"
as_of = 2026-03-20T06:00:00Z
[example.given]
things = [{ thing_id = "p1", family = "district_meter", area_id = "east", attributes = "{}" }, { thing_id = "p2", family = "district_meter", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "d1", thing_id = "p1", valid_from = "2026-01-01T00:00:00Z" }, { device_id = "d2", thing_id = "p2", valid_from = "2026-01-01T00:00:00Z" }]
district_meter = """
SELECT device_id, t AS observed_at, CASE WHEN device_id = 'd1' AND t >= TIMESTAMPTZ '2026-03-19 09:00:00Z' THEN -120
    ELSE 400 + 30 * sin(epoch(t) / 86400 * 2 * pi()) + (hash(t, device_id) % 100) / 10 END AS level_m
FROM range(TIMESTAMPTZ '2026-03-01 00:00:00Z', TIMESTAMPTZ '2026-03-20 06:00:00Z', INTERVAL 15 MINUTE) AS r (t), (VALUES ('d1'), ('d2')) AS v (device_id)"""
[[example.expect]]
device_id = "d1"
thing_id = "p1"
area_id = "east"
since = 2026-03-19T09:00:00Z
severity = "warning"
going_on = true
*/
WITH known AS (  -- 45 days are enough of who speaks every quarter of an hour
    SELECT family, device_id, measure, count(value) > 3000 AS often FROM measured GROUP BY family, device_id, measure
)
SELECT m.device_id AS asset, m.observed_at AS "at", m.observed_at AT TIME ZONE r.zone AS local, m.measure, CAST(m.value AS DOUBLE) AS value
FROM measured AS m CROSS JOIN run AS r
JOIN known AS k ON k.family = m.family AND k.device_id = m.device_id AND k.measure = m.measure
WHERE m.value IS NOT NULL AND m.family <> 'traffic_counter' AND (NOT k.often OR m.observed_at > r.as_of - INTERVAL 45 DAY)
    AND (m.family <> 'waste_container' OR m.device_id IN (  -- who rested half a day at all
        SELECT device_id FROM waste_container WHERE fill_pct IS NOT NULL
        GROUP BY device_id, time_bucket(INTERVAL 12 HOUR, observed_at) HAVING min(fill_pct) = max(fill_pct) AND count(*) >= 8
    ))
