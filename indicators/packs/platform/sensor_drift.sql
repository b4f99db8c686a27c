/*
id = "platform.sensor_drift"
kind = "detector"
version = 1
grain = "device"
reads = ["measured", "assignments", "run"]
references = ["Each device against the four of its measure that go with it best, learned over half a year. docs/detection.md has what it finds of losses put into real counters"]
cadence = "night"
method = "sensor_drift"
subject = "device"
memory_days = 640

[title]
en = "Sensor drifts"
sl = "Lezenje tipala"

[meaning]
en = "Over weeks a device has slowly left what the devices of the same measure that usually go with it (two to four of them) say that it should show: by three times as much as it ever did in a month, whichever of them is left out, and none of them goes the same way. Weather, holidays and seasons show in all of them and are none; what comes at once, with an exchange or at a new place, is not told. It takes a year to know a device. Flows and pressures of water are left out: a leak looks the same."
sl = "Naprava se je v tednih počasi oddaljila od tega, kar bi morala kazati po napravah iste količine, ki ji običajno sledijo (dve do štiri): za trikrat toliko kot kdaj prej v enem mesecu, ne glede na to, katero od njih izpustimo, in nobena ne gre v isto smer. Vreme, prazniki in letni časi se poznajo pri vseh in ne štejejo; kar nastopi naenkrat, ob zamenjavi ali na novem mestu, ni javljeno. Za spoznavanje naprave je potrebno eno leto. Pretoki in tlaki vode niso upoštevani, saj je puščanje videti enako."

[says.what]
en = "Sensor drifts"
sl = "Lezenje tipala"

[says.why]
en = "{measure_en}: {change} against the devices that usually go with it ({with}), within {days} days; usual in a month: up to {usual}."
sl = "{measure_sl}: {change} glede na naprave, ki ji običajno sledijo ({with}), v toliko dneh: {days}; običajno v enem mesecu do {usual}."

[says.chart]
en = "departure of the last 12 weeks"
sl = "odstopanje v zadnjih 12 tednih"

[[example]]
title = "Of four thermometers one rises by 1.6 degrees over two months; the weather of all is none"
as_of = 2026-03-09T06:00:00Z
[example.given]
things = "SELECT 'p' || i AS thing_id, 'weather' AS family, 'east' AS area_id, '{}' AS attributes FROM range(4) AS r (i)"
assignments = "SELECT 'd' || i AS device_id, 'p' || i AS thing_id, TIMESTAMPTZ '2024-01-01 00:00:00Z' AS valid_from FROM range(4) AS r (i)"
weather = """
SELECT 'd' || i AS device_id, t AS observed_at, 10 + 8 * sin(epoch(t) / 86400 / 58) + 4 * sin(epoch(t) / 86400 / 3) + i + (hash(t, i) % 100) / 200
    + CASE WHEN i = 2 THEN greatest(0, epoch(t) - epoch(TIMESTAMPTZ '2026-01-01 00:00:00Z')) / 86400 / 40 ELSE 0 END AS air_temp_cel
FROM range(TIMESTAMPTZ '2024-10-01 00:00:00Z', TIMESTAMPTZ '2026-03-09 06:00:00Z', INTERVAL 1 HOUR) AS r (t), range(4) AS v (i)"""
[[example.expect]]
device_id = "d2"
thing_id = "p2"
area_id = "east"
severity = "info"
going_on = true
*/
WITH day AS (  -- of whole days the mean, without the highest and the lowest twentieth
    SELECT device_id, channel, measure, CAST(observed_at AT TIME ZONE r.zone AS DATE) AS local_date, list_sort(list(CAST(value AS DOUBLE))) AS held
    FROM measured CROSS JOIN run AS r
    WHERE value IS NOT NULL AND quality NOT IN (4, 9) AND measure NOT IN ('flow_m3h', 'pressure_kpa', 'co2_ppm', 'fill_pct')
    GROUP BY device_id, channel, measure, local_date
    HAVING count(DISTINCT hour(observed_at AT TIME ZONE r.zone)) >= 22
)
SELECT d.device_id AS asset, CAST(d.local_date + 1 AS TIMESTAMP) AT TIME ZONE r.zone AS "at", CAST(d.local_date + 1 AS TIMESTAMP) AS local, d.channel,
    d.measure, list_avg(d.held[1 + len(d.held) // 20 : len(d.held) - len(d.held) // 20]) AS value
FROM day AS d CROSS JOIN run AS r
WHERE d.local_date < r.today
