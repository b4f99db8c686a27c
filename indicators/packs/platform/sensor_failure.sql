/*
id = "platform.sensor_failure"
kind = "detector"
version = 1
grain = "device"
reads = ["district_meter", "water_shaft", "weather", "indoor_climate", "assignments", "run"]
references = ["Leaps beyond the learned range by more than its width, and rests four times longer than any before. docs/detection.md has what it finds in the runs of a laboratory"]
cadence = "hour"
method = "sensor_failure"
subject = "device"
memory_days = 45

[title]
en = "Sensor failed"
sl = "Okvara tipala"

[meaning]
en = "A level, temperature, humidity or a quantity of water quality leapt out of everything this device ever showed, by more than the width of that range, and mostly stays there; or it shows one and the same value four times longer than ever before. It takes 1,000 readings to know a device. Flows and pressures are left out: with a burst they leap as well."
sl = "Gladina, temperatura, vlažnost ali kazalnik kakovosti vode je skočil izven vsega, kar je naprava kdaj pokazala, za več kot širino tega razpona, in tam večinoma ostaja; ali pa štirikrat dlje kot kdaj prej kaže isto vrednost. Za spoznavanje naprave je potrebnih 1000 odčitkov. Pretoki in tlaki niso upoštevani, saj skočijo tudi ob okvari cevi."

[says.what]
en = "Sensor failed"
sl = "Okvara tipala"

[says.why]
en = "{measure_en}: {value:g} for {hours:.1f} h; before that always between {low:g} and {high:g}, and at rest for at most {rest} readings (now {same})."
sl = "{measure_sl}: {value:g} že {hours:.1f} h; prej vedno med {low:g} in {high:g}, brez spremembe pa največ toliko odčitkov: {rest} (zdaj {same})."

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
WITH reading AS (  -- also what the plausibility tests refused: that is what is looked for
    SELECT device_id, observed_at, unnest(['level_m', 'water_temp_cel', 'ph', 'conductivity_uscm']) AS measure,
        unnest([level_m, water_temp_cel, ph, conductivity_uscm]) AS value
    FROM (FROM district_meter SELECT device_id, observed_at, level_m, water_temp_cel, ph, conductivity_uscm
        UNION ALL FROM water_shaft SELECT device_id, observed_at, level_m, water_temp_cel, ph, conductivity_uscm)
    UNION ALL
    SELECT device_id, observed_at, unnest(['temp_cel', 'rh_pct']), unnest([temp_cel, rh_pct])
    FROM (FROM weather SELECT device_id, observed_at, air_temp_cel AS temp_cel, rh_pct UNION ALL FROM indoor_climate SELECT device_id, observed_at, temp_cel, rh_pct)
)
SELECT d.device_id AS asset, d.observed_at AS "at", d.observed_at AT TIME ZONE r.zone AS local,
    list(d.measure ORDER BY d.measure) AS measures, list(CAST(d.value AS DOUBLE) ORDER BY d.measure) AS "values"
FROM reading AS d CROSS JOIN run AS r
WHERE d.value IS NOT NULL
GROUP BY d.device_id, d.observed_at, r.zone
