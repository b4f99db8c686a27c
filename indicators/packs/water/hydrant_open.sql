/*
id = "water.hydrant_open"
kind = "detector"
version = 1
grain = "hydrant"
reads = ["hydrant", "inflow", "assignments", "things", "sun", "run"]
references = ["The hydrant says so itself (open_state, or a flow above 1 m3/h); the inflow of its district says how much"]
cadence = "commit"
memory_days = 30
explains = ["water.district_leak", "water.pressure_leak", "water.hydrant_flow", "water.burst"]

[title]
en = "Hydrant opened"
sl = "Odprt hidrant"

[meaning]
en = "A hydrant reports that it is open, or a flow above 1 m³/h. The amount is its own flow; where it measures none, what its district drew above the usual at the same time of the seven days before."
sl = "Hidrant sporoča, da je odprt, ali pretok nad 1 m³/h. Količina je njegov lastni pretok; če ga ne meri, pa presežek dotoka območja nad običajnim ob istem času v prejšnjih sedmih dneh."

[says.what]
en = "Hydrant opened"
sl = "Odprt hidrant"

[says.why]
en = "The hydrant reported itself open {reports} times in {minutes:.0f} min; its pressure fell from {pressure_before_kpa:.0f} to {pressure_kpa:.0f} kPa and the district's inflow rose from {inflow_usual_m3h:.1f} to {inflow_peak_m3h:.1f} m³/h."
sl = "Hidrant je v {minutes:.0f} min {reports}-krat sporočil, da je odprt; tlak je padel s {pressure_before_kpa:.0f} na {pressure_kpa:.0f} kPa, dotok območja pa zrasel s {inflow_usual_m3h:.1f} na {inflow_peak_m3h:.1f} m³/h."

[says.chart]
en = "pressure at the hydrant, kPa"
sl = "tlak na hidrantu, kPa"

[[example]]
title = "Open for half an hour at night, with a flow of its own"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = [{ thing_id = "h", family = "hydrant", area_id = "east", attributes = "{}" }]
assignments = [{ device_id = "d1", thing_id = "h", valid_from = "2026-01-01T00:00:00Z" }]
hydrant = """
SELECT 'd1' AS device_id, t AS observed_at, t BETWEEN TIMESTAMPTZ '2026-03-03 01:10:00Z' AND TIMESTAMPTZ '2026-03-03 01:30:00Z' AS open_state,
    CASE WHEN open_state THEN 30.0 ELSE 0.0 END AS flow_m3h, CASE WHEN open_state THEN 350.0 ELSE 480.0 END AS pressure_kpa
FROM range(TIMESTAMPTZ '2026-03-02 00:00:00Z', TIMESTAMPTZ '2026-03-03 12:00:00Z', INTERVAL 10 MINUTE) AS r (t)"""
[[example.expect]]
thing_id = "h"
since = 2026-03-03T01:10:00Z
until = 2026-03-03T01:40:00Z
severity = "critical"
litres_per_hour = 30000.0
volume_m3 = 15.0
going_on = false
*/
WITH reading AS (
    SELECT a.thing_id, h.device_id, t.area_id, h.observed_at, h.pressure_kpa, h.flow_m3h,
        coalesce(h.open_state, false) OR coalesce(h.flow_m3h > 1, false) AS is_open
    FROM hydrant AS h
    JOIN assignments AS a ON a.device_id = h.device_id AND h.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR h.observed_at < a.valid_to)
    JOIN things AS t ON t.thing_id = a.thing_id
    CROSS JOIN run AS r
    WHERE h.quality NOT IN (4, 9) AND h.observed_at > r.as_of - INTERVAL 35 DAY
),
island AS (
    SELECT *, count(*) FILTER (WHERE NOT is_open) OVER (PARTITION BY thing_id ORDER BY observed_at) AS number,
        lead(observed_at) OVER (PARTITION BY thing_id ORDER BY observed_at) AS next_at
    FROM reading
),
opening AS (
    SELECT thing_id, any_value(device_id) AS device_id, any_value(area_id) AS area_id, min(observed_at) AS since,
        CASE WHEN count(next_at) = count(*) THEN max(next_at) END AS until, count(*) AS reports, max(observed_at) AS last_open,
        avg(CAST(flow_m3h AS DECIMAL(18, 6))) AS flow, median(pressure_kpa) AS pressure
    FROM island WHERE is_open
    GROUP BY thing_id, number
),
around AS (
    SELECT o.*, coalesce(o.until, r.as_of) AS to_time, r.as_of, r.water_eur_m3,
        (SELECT median(i.pressure_kpa) FROM island AS i WHERE i.thing_id = o.thing_id AND NOT i.is_open
            AND i.observed_at BETWEEN o.since - INTERVAL 1 DAY AND o.since) AS pressure_before,
        (SELECT list(round(i.pressure_kpa, 0) ORDER BY i.observed_at) FROM island AS i WHERE i.thing_id = o.thing_id
            AND i.observed_at BETWEEN o.since - INTERVAL 8 HOUR AND coalesce(o.until, r.as_of) + INTERVAL 4 HOUR)[:40] AS chart
    FROM opening AS o CROSS JOIN run AS r
),
during AS (  -- a district meter shows the quarter that has passed, so the last one comes after the closing
    SELECT a.thing_id, a.since, max(i.flow_m3h) AS peak, CAST(sum(CAST(i.flow_m3h AS DECIMAL(18, 6))) AS DOUBLE) / 4 AS drawn, count(*) / 4 AS hours
    FROM around AS a JOIN inflow AS i ON i.area_id = a.area_id
        AND i.starts_at > a.since - INTERVAL 15 MINUTE AND i.starts_at < a.to_time + INTERVAL 15 MINUTE
    GROUP BY a.thing_id, a.since
),
usual AS (
    SELECT a.thing_id, a.since, median(i.flow_m3h) AS flow
    FROM around AS a
    CROSS JOIN range(1, 8) AS d (days)
    JOIN inflow AS i ON i.area_id = a.area_id
        AND i.starts_at > a.since - d.days * INTERVAL 1 DAY - INTERVAL 15 MINUTE
        AND i.starts_at < a.to_time - d.days * INTERVAL 1 DAY + INTERVAL 15 MINUTE
    GROUP BY a.thing_id, a.since
),
sized AS (
    SELECT a.*, d.peak, u.flow AS usual, (epoch(a.to_time) - epoch(a.since)) / 3600 AS hours,
        coalesce(nullif(a.flow, 0) * (epoch(a.to_time) - epoch(a.since)) / 3600, greatest(0, d.drawn - u.flow * d.hours)) AS volume,
        NOT EXISTS (FROM sun AS s WHERE a.since BETWEEN s.sunrise AND s.sunset) AS at_night
    FROM around AS a
    LEFT JOIN during AS d ON d.thing_id = a.thing_id AND d.since = a.since
    LEFT JOIN usual AS u ON u.thing_id = a.thing_id AND u.since = a.since
)
SELECT thing_id, device_id, area_id, since, until, CASE WHEN at_night OR until IS NULL THEN 'critical' ELSE 'warning' END AS severity,
    round(1000 * volume / nullif(hours, 0), 0) AS litres_per_hour, round(volume, 2) AS volume_m3,
    round(volume * water_eur_m3, 2) AS eur, CASE WHEN peak > usual + 5 OR flow > 1 THEN 0.98 ELSE 0.8 END AS confidence,
    {
        'reports': reports, 'minutes': round(60 * hours, 0), 'pressure_before_kpa': round(pressure_before, 0),
        'pressure_kpa': round(pressure, 0), 'inflow_usual_m3h': round(usual, 2), 'inflow_peak_m3h': round(peak, 2),
        'at_night': at_night, 'chart': chart
    } AS evidence,
    until IS NULL AS going_on
FROM sized
