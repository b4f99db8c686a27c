/*
id = "environment.water_quality"
kind = "indicator"
version = 1
unit = "%"
grain = "shaft, local day"
reads = ["water_shaft", "assignments", "held_days", "local_days", "municipality", "run"]
references = ["pH and conductivity as indicator parameters of Directive (EU) 2020/2184: unverified in this text; turbidity 1 NTU: a convention, unverified", "Half of the day heard: a convention, unverified"]
cadence = "night"
own = true

[title]
en = "Time with water within its limits"
sl = "Čas z vodo v mejah kakovosti"

[meaning]
en = "Share of the time of a local day in which all that the sensors of a shaft or reservoir measured was within limits: pH 6.5 to 9.5, turbidity up to 1 NTU, conductivity up to 2500 µS/cm. An indication of the network, no analysis of a laboratory; chlorine has no limit here. A reading holds until the next one, an hour at most. The denominator is the counted time; below half of the day heard there is no value."
sl = "Delež časa krajevnega dneva, v katerem je bilo vse izmerjeno v jašku ali vodohranu v mejah: pH 6,5 do 9,5, motnost do 1 NTU, prevodnost do 2500 µS/cm. Pokazatelj za omrežje, ne laboratorijska analiza; klor tu nima meje. Odčitek velja do naslednjega, največ eno uro. Imenovalec je upoštevani čas; če je slišane manj kot polovica dneva, vrednosti ni."

[[example]]
title = "Sour water for six of 23 hours"
as_of = 2026-03-30T12:00:00Z
[example.given]
things = """SELECT 'x' || i AS thing_id, 'water_shaft' AS family, '{}' AS attributes FROM range(2) AS r (i)"""
assignments = "SELECT 'd' || i AS device_id, 'x' || i AS thing_id, TIMESTAMPTZ '2024-01-01 00:00:00Z' AS valid_from FROM range(2) AS r (i)"
water_shaft = """
SELECT 'd' || i AS device_id, t AS observed_at, CASE WHEN hour(t) < 6 THEN 6.4 ELSE 7.2 END AS ph, 0.3 AS turbidity_ntu
FROM range(TIMESTAMPTZ '2026-03-28 23:00:00Z', TIMESTAMPTZ '2026-03-29 22:00:00Z', INTERVAL 15 MINUTE) AS r (t), range(2) AS d (i)
WHERE i = 0 OR hour(t) = 5"""
[[example.expect]]
subject_kind = "thing"
subject_id = "x0"
period_start = 2026-03-29
value = 73.913043478
denominator = 23.0
*/
WITH reading AS (
    SELECT a.thing_id, w.observed_at,
        CASE WHEN coalesce(w.ph BETWEEN 6.5 AND 9.5, true) AND coalesce(w.turbidity_ntu <= 1, true) AND coalesce(w.conductivity_uscm <= 2500, true) THEN 1.0 ELSE 0.0 END AS amount
    FROM water_shaft AS w
    JOIN assignments AS a ON a.device_id = w.device_id AND w.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR w.observed_at < a.valid_to)
    WHERE (w.ph IS NOT NULL OR w.turbidity_ntu IS NOT NULL OR w.conductivity_uscm IS NOT NULL) AND w.quality NOT IN (4, 9)
)
SELECT 'thing' AS subject_kind, h.thing_id AS subject_id, h.local_date AS period_start, h.local_date + 1 AS period_end,
    100 * h.amount_h / h.known_h AS value, h.amount_h AS numerator, h.known_h AS denominator, h.heard_h / h.day_h AS coverage, 1 AS devices, 0.0 AS estimated_share
FROM held_days('reading', INTERVAL 1 HOUR) AS h CROSS JOIN run AS r
WHERE h.local_date < r.today AND h.known_h > 0 AND h.heard_h >= 0.5 * h.day_h
ORDER BY subject_id, period_start
