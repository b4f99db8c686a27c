-- What flows into each area, from its district meters, signed and summed.
--
-- A district meter counts into the area of its thing. Attributes of the thing say otherwise:
--   direction = "out"    it counts out of its area;
--   direction = "none"   it measures no flow (a tank, a pressure point) and is not waited for;
--   other_area = AREA    the area on its other side: a boundary meter counts into the one and out of the other.
-- A meter that hangs there and does not say otherwise is expected, also when it is silent: an area with a silent meter has no
-- inflow, not a smaller one. One that spoke in the last eight days (UTC) and only gave level or pressure is not expected.

CREATE OR REPLACE VIEW inflow_meters AS
WITH hanging AS (
    SELECT a.thing_id, a.device_id, a.valid_from, a.valid_to, t.area_id,
        coalesce(json_extract_string(t.attributes, '$.direction'), 'in') AS direction,
        json_extract_string(t.attributes, '$.other_area') AS other_area
    FROM assignments AS a
    JOIN things AS t ON t.thing_id = a.thing_id AND t.family = 'district_meter'
)
SELECT thing_id, device_id, valid_from, valid_to, area_id, CASE WHEN direction = 'out' THEN -1 ELSE 1 END AS sign
FROM hanging WHERE area_id IS NOT NULL AND direction <> 'none'
UNION ALL
SELECT thing_id, device_id, valid_from, valid_to, other_area, CASE WHEN direction = 'out' THEN 1 ELSE -1 END
FROM hanging WHERE other_area <> coalesce(area_id, '') AND direction <> 'none';

-- Their registers, for the arithmetic of arithmetic.sql. One between two areas may run backwards as fast as it can.
CREATE OR REPLACE VIEW inflow_registers AS
SELECT 'volume' AS measure, device_id, observed_at, day, volume_total_m3 AS register
FROM district_meter WHERE volume_total_m3 IS NOT NULL AND quality NOT IN (4, 9);

CREATE OR REPLACE VIEW inflow_spans AS
SELECT 'volume' AS measure, a.thing_id, a.device_id, a.valid_from, a.valid_to, a.start_register, a.end_register,
    register_full_at(d.factors) AS full_at, register_limit(d.factors, 'flow_m3h_max', 1, 5000) AS most,
    CASE WHEN json_exists(t.attributes, '$.other_area') THEN register_limit(d.factors, 'flow_m3h_max', 1, 5000)
        ELSE CAST(0.02 AS DECIMAL(18, 6)) END AS back
FROM assignments AS a
JOIN things AS t ON t.thing_id = a.thing_id AND t.family = 'district_meter'
LEFT JOIN devices AS d ON d.device_id = a.device_id;

-- What each meter said: flow_m3h where it gives one, else the rise of its register.
CREATE OR REPLACE VIEW inflow_readings AS
SELECT m.thing_id, m.area_id, m.sign, r.observed_at, r.pressure_kpa,
    coalesce(r.flow_m3h, CASE WHEN r.volume_total_m3 >= lag(r.volume_total_m3) OVER w
            AND NOT register_jumped(lag(r.volume_total_m3) OVER w, r.volume_total_m3,
                epoch_us(r.observed_at) - epoch_us(lag(r.observed_at) OVER w), 5000)
        THEN CAST(r.volume_total_m3 - lag(r.volume_total_m3) OVER w AS DOUBLE) * 3.6e9
            / nullif(epoch_us(r.observed_at) - epoch_us(lag(r.observed_at) OVER w), 0) END) AS flow_m3h
FROM district_meter AS r
JOIN inflow_meters AS m ON m.device_id = r.device_id AND r.observed_at >= m.valid_from
    AND (m.valid_to IS NULL OR r.observed_at < m.valid_to)
WHERE r.quality NOT IN (4, 9)
WINDOW w AS (PARTITION BY m.area_id, r.device_id, m.valid_from ORDER BY r.observed_at);

-- By quarter of an hour.
CREATE OR REPLACE VIEW inflow_slots AS
SELECT thing_id, area_id, sign, time_bucket(INTERVAL 15 MINUTE, observed_at) AS starts_at,
    avg(flow_m3h) AS flow_m3h, avg(pressure_kpa) AS pressure_kpa
FROM inflow_readings WHERE flow_m3h IS NOT NULL
GROUP BY thing_id, area_id, sign, starts_at;

-- Pressures (m) and levels of each area in steps of such a length, that begin `shift` after the clock's.
CREATE OR REPLACE MACRO district_points(step, shift) AS TABLE
WITH point AS (
    SELECT t.area_id, coalesce(json_extract_string(t.attributes, '$.node'), t.thing_id) AS node,
        time_bucket(step, d.observed_at - shift) AS starts_at, avg(d.pressure_kpa) / 9.80665 AS m, max_by(d.level_m, d.observed_at) AS level
    FROM district_meter AS d
    JOIN assignments AS a ON a.device_id = d.device_id AND d.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR d.observed_at < a.valid_to)
    JOIN things AS t ON t.thing_id = a.thing_id AND t.area_id IS NOT NULL
    WHERE (d.pressure_kpa IS NOT NULL OR d.level_m IS NOT NULL) AND d.quality NOT IN (4, 9)
    GROUP BY ALL
)
SELECT area_id, starts_at, list(node ORDER BY node) FILTER (m IS NOT NULL) AS sensors, list(m ORDER BY node) FILTER (m IS NOT NULL) AS pressures,
    list(node ORDER BY node) FILTER (level IS NOT NULL) AS tanks, list(level ORDER BY node) FILTER (level IS NOT NULL) AS levels
FROM point GROUP BY ALL;

-- What the tanks inside each area hold, by steps of such a length: attribute tank_m2 of the thing whose level is measured.
CREATE OR REPLACE MACRO district_stored(step) AS TABLE
WITH tank AS (
    SELECT t.area_id, a.thing_id, time_bucket(step, d.observed_at) AS starts_at,
        max_by(d.level_m, d.observed_at) * any_value(TRY_CAST(json_extract_string(t.attributes, '$.tank_m2') AS DOUBLE)) AS m3
    FROM district_meter AS d
    JOIN assignments AS a ON a.device_id = d.device_id AND d.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR d.observed_at < a.valid_to)
    JOIN things AS t ON t.thing_id = a.thing_id
    WHERE d.level_m IS NOT NULL AND json_exists(t.attributes, '$.tank_m2') AND d.quality NOT IN (4, 9)
    GROUP BY ALL
)
SELECT area_id, starts_at, sum(m3) AS stored_m3 FROM tank GROUP BY ALL;

-- Meters that an area waits for on a UTC day of its data.
CREATE OR REPLACE VIEW inflow_expected AS
WITH spoken AS (
    SELECT device_id, day, bool_or(flow_m3h IS NOT NULL OR volume_total_m3 IS NOT NULL) AS flows
    FROM district_meter GROUP BY device_id, day
),
days AS (  -- also those of an outage of all
    SELECT local_date AS day FROM local_days WHERE local_date BETWEEN (SELECT min(day) FROM spoken) AND (SELECT max(day) FROM spoken)
),
spoke AS (
    SELECT d.day, s.device_id, bool_or(s.flows) AS flows
    FROM days AS d JOIN spoken AS s ON s.day BETWEEN d.day - 7 AND d.day
    GROUP BY d.day, s.device_id
)
SELECT d.day, m.area_id, m.thing_id, m.device_id, m.sign, m.valid_from, m.valid_to
FROM days AS d
JOIN inflow_meters AS m ON m.valid_from < d.day + INTERVAL 1 DAY AND (m.valid_to IS NULL OR m.valid_to > d.day)
LEFT JOIN spoke AS s ON s.day = d.day AND s.device_id = m.device_id
WHERE coalesce(s.flows, true);

CREATE OR REPLACE VIEW inflow AS
WITH expected AS (
    SELECT s.area_id, s.starts_at, count(DISTINCT e.thing_id) AS expected
    FROM (SELECT DISTINCT area_id, starts_at, CAST(starts_at AS DATE) AS day FROM inflow_slots) AS s
    JOIN inflow_expected AS e ON e.area_id = s.area_id AND e.day = s.day AND e.valid_from < s.starts_at + INTERVAL 15 MINUTE
        AND (e.valid_to IS NULL OR e.valid_to > s.starts_at)
    GROUP BY s.area_id, s.starts_at
)
SELECT s.area_id, s.starts_at, sum(s.sign * s.flow_m3h) AS flow_m3h, avg(s.pressure_kpa) AS pressure_kpa,
    count(*) AS meters, any_value(e.expected) AS expected
FROM inflow_slots AS s JOIN expected AS e ON e.area_id = s.area_id AND e.starts_at = s.starts_at
GROUP BY s.area_id, s.starts_at;

-- By the hour, where all meters of the area spoke; null while a hydrant in it was open, which is an alarm of its own.
CREATE OR REPLACE VIEW inflow_hours AS
WITH opened AS (
    SELECT DISTINCT t.area_id, date_trunc('hour', h.observed_at) AS starts_at
    FROM hydrant AS h
    JOIN assignments AS a ON a.device_id = h.device_id AND h.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR h.observed_at < a.valid_to)
    JOIN things AS t ON t.thing_id = a.thing_id
    WHERE coalesce(h.open_state, false) OR coalesce(h.flow_m3h > 1, false)
),
flow AS (
    SELECT area_id, date_trunc('hour', starts_at) AS starts_at, avg(flow_m3h) AS flow_m3h
    FROM inflow WHERE meters = expected
    GROUP BY ALL
)
SELECT f.area_id, f.starts_at, CASE WHEN o.starts_at IS NULL THEN f.flow_m3h END AS flow_m3h
FROM flow AS f LEFT JOIN opened AS o ON o.area_id = f.area_id AND o.starts_at = f.starts_at;

-- Local days of 23, 24 or 25 hours: the volume that came into each area (system input where it is the town's own inlet).
-- A meter's day is the rise of its register (arithmetic.sql) where that accounts for three quarters of it, else its mean
-- flow; what it did not measure is filled with its own mean of the day and counted in
-- estimated_m3. Coverage is that of the least heard meter; 0, and no volume, where one of them was silent.
CREATE OR REPLACE VIEW inflow_daily AS
WITH steps AS (FROM register_steps('inflow_registers', 'inflow_spans', NULL, NULL)),
risen AS (
    SELECT thing_id, local_date, coverage, estimated, CAST((amount - backwards) * 1000000 AS HUGEINT) AS micro
    FROM register_days('steps', NULL, NULL)
),
counted AS (
    SELECT DISTINCT r.thing_id, m.area_id, m.sign, r.local_date, r.micro, r.estimated,
        CAST(round(r.coverage * (epoch_us(l.ends_at) - epoch_us(l.starts_at))) AS BIGINT) AS known
    FROM risen AS r JOIN inflow_meters AS m ON m.thing_id = r.thing_id JOIN local_days AS l ON l.local_date = r.local_date
),
flowed AS (
    SELECT s.thing_id, s.area_id, s.sign, CAST(s.starts_at AT TIME ZONE z.zone AS DATE) AS local_date,
        count(*) * 900000000 AS known, CAST(round(sum(s.flow_m3h) * 250000) AS HUGEINT) AS micro
    FROM inflow_slots AS s CROSS JOIN municipality AS z
    GROUP BY s.thing_id, s.area_id, s.sign, local_date
),
day AS (
    SELECT d.local_date, epoch_us(l.starts_at) AS starts, epoch_us(l.ends_at) AS ends
    FROM (SELECT local_date FROM counted UNION SELECT local_date FROM flowed) AS d
    JOIN local_days AS l ON l.local_date = d.local_date
),
served AS (
    SELECT e.area_id, e.thing_id, e.sign, d.local_date, any_value(d.ends - d.starts) AS length,
        sum(least(d.ends, coalesce(epoch_us(e.valid_to), d.ends)) - greatest(d.starts, epoch_us(e.valid_from))) AS time
    FROM day AS d
    JOIN inflow_expected AS e ON e.day = d.local_date AND epoch_us(e.valid_from) < d.ends
        AND (e.valid_to IS NULL OR epoch_us(e.valid_to) > d.starts)
    GROUP BY e.area_id, e.thing_id, e.sign, d.local_date
),
measured AS (
    SELECT s.area_id, s.local_date, s.thing_id, s.sign, s.time,
        CASE WHEN c.known >= 0.75 * s.time THEN c.micro ELSE f.micro END AS micro,
        CASE WHEN c.known >= s.time OR coalesce(c.known, 0) < 0.75 * s.time AND f.known > s.time THEN s.time
            WHEN c.known >= 0.75 * s.time THEN c.known ELSE f.known END AS known,
        coalesce(c.known >= 0.75 * s.time AND c.estimated, false) AS estimated
    FROM served AS s
    LEFT JOIN counted AS c ON c.thing_id = s.thing_id AND c.area_id = s.area_id AND c.local_date = s.local_date
    LEFT JOIN flowed AS f ON f.thing_id = s.thing_id AND f.area_id = s.area_id AND f.local_date = s.local_date
    WHERE s.time > 0
)
SELECT area_id, local_date,
    CAST(CASE WHEN count(known) = count(*) THEN CAST(sum(sign * (micro * time // known)) AS DECIMAL(32, 0)) END
        * CAST(0.000001 AS DECIMAL(6, 6)) AS DECIMAL(18, 6)) AS volume_m3,
    CAST(CAST(coalesce(sum(abs(CASE WHEN estimated THEN micro * time // known ELSE micro * time // known - micro END)), 0) AS DECIMAL(32, 0)) * CAST(0.000001 AS DECIMAL(6, 6))
        AS DECIMAL(18, 6)) AS estimated_m3,
    min(coalesce(known / time, 0)) AS coverage, count(known) AS meters, count(*) AS expected
FROM measured
GROUP BY area_id, local_date;
