-- Registers of water meters become consumption here, and nowhere else.
--
-- A step is the difference of two successive registers of one assignment, so the steps of a thing over any span add up to
-- the difference of its registers to the last digit, across exchanges by their start and end registers. A step keeps its
-- own interval, however long. What is left out before steps are taken (the readings themselves stay in water_meter):
--   spikes: a register that falls within a day, to one that is not below those of the day before it;
--   glitches: a register below an earlier one (30 days back) to which it jumps back later (12 h of zero, then the old count).
-- A register that falls and stays down is a reset: it books 0, marked estimated.

CREATE OR REPLACE VIEW consumption_hourly AS
WITH span AS (
    SELECT a.thing_id, a.device_id, a.valid_from, a.valid_to, a.start_register, a.end_register
    FROM assignments AS a
    JOIN things AS t ON t.thing_id = a.thing_id AND t.family = 'water_meter'
),
point AS (
    SELECT s.thing_id, s.device_id, s.valid_from, r.observed_at AS seen, r.volume_total_m3 AS register
    FROM water_meter AS r
    JOIN span AS s ON s.device_id = r.device_id AND r.observed_at >= s.valid_from
        AND (s.valid_to IS NULL OR r.observed_at < s.valid_to)
    WHERE r.volume_total_m3 IS NOT NULL AND r.quality NOT IN (4, 9)
        AND NOT (r.observed_at = s.valid_from AND s.start_register IS NOT NULL)  -- the protocol of exchange wins
    UNION ALL
    SELECT thing_id, device_id, valid_from, valid_from, start_register FROM span WHERE start_register IS NOT NULL
    UNION ALL
    SELECT thing_id, device_id, valid_from, valid_to, end_register FROM span
    WHERE valid_to IS NOT NULL AND end_register IS NOT NULL
),
step AS (
    SELECT *, register - lag(register) OVER (PARTITION BY thing_id, device_id, valid_from ORDER BY seen) AS rise FROM point
),
torn AS (  -- the few assignments whose register ever falls: only they pay for the windows below
    SELECT DISTINCT thing_id, device_id, valid_from FROM step WHERE rise < 0
),
around AS (
    SELECT p.thing_id, p.device_id, p.valid_from, p.seen, p.register,
        min(p.register) OVER (w RANGE BETWEEN INTERVAL 1 DAY PRECEDING AND INTERVAL 1 MICROSECOND PRECEDING) AS lowest_before,
        first_value(CASE WHEN p.rise < 0 THEN p.register END IGNORE NULLS)
            OVER (w RANGE BETWEEN INTERVAL 1 MICROSECOND FOLLOWING AND INTERVAL 1 DAY FOLLOWING) AS falls_to
    FROM step AS p SEMI JOIN torn USING (thing_id, device_id, valid_from)
    WINDOW w AS (PARTITION BY p.thing_id, p.device_id, p.valid_from ORDER BY p.seen)
),
unspiked AS (
    SELECT thing_id, device_id, valid_from, seen, register,
        register - lag(register) OVER (PARTITION BY thing_id, device_id, valid_from ORDER BY seen) AS rise
    FROM around
    WHERE NOT coalesce(register > falls_to AND falls_to >= lowest_before, false)
),
further AS (
    SELECT thing_id, device_id, valid_from, seen, register,
        max(register) OVER (w RANGE BETWEEN INTERVAL 30 DAY PRECEDING AND INTERVAL 1 MICROSECOND PRECEDING) AS highest_before,
        max(register) OVER (w RANGE BETWEEN INTERVAL 1 MICROSECOND FOLLOWING AND INTERVAL 30 DAY FOLLOWING) AS highest_after,
        max(rise) OVER (w RANGE BETWEEN INTERVAL 1 MICROSECOND FOLLOWING AND INTERVAL 30 DAY FOLLOWING) AS jump
    FROM unspiked
    WINDOW w AS (PARTITION BY thing_id, device_id, valid_from ORDER BY seen)
),
sound AS (
    SELECT thing_id, device_id, valid_from, seen, register FROM step ANTI JOIN torn USING (thing_id, device_id, valid_from)
    UNION ALL
    SELECT thing_id, device_id, valid_from, seen, register FROM further
    WHERE NOT coalesce(  -- a reset climbs back slowly, a glitch jumps
        register < highest_before AND highest_after >= highest_before AND 2 * jump >= highest_before - register, false)
),
pair AS (
    SELECT thing_id, device_id, seen AS ends_at, register,
        lag(seen) OVER w AS starts_at, lag(register) OVER w AS before
    FROM sound
    WINDOW w AS (PARTITION BY thing_id, device_id, valid_from ORDER BY seen)
)
SELECT thing_id, device_id, starts_at, ends_at,
    CAST(CASE WHEN register < before THEN 0 ELSE register - before END AS DECIMAL(18, 6)) AS volume_m3,
    register < before AS estimated
FROM pair
WHERE ends_at > starts_at;

-- Local days of 23, 24 or 25 hours. A step across midnight is shared by time, in whole millionths of a cubic metre, so that
-- the days add up to the steps exactly; the day is estimated where that step was longer than 90 minutes. Coverage is the
-- share of the day that steps account for. Steps over 31 days belong to no day and stay in consumption_hourly alone.
CREATE OR REPLACE VIEW consumption_daily AS
WITH local AS (
    SELECT c.thing_id, c.estimated, m.zone,
        CAST(c.volume_m3 * 1000000 AS HUGEINT) AS micro, epoch_us(c.starts_at) AS starts, epoch_us(c.ends_at) AS ends,
        CAST(c.starts_at AT TIME ZONE m.zone AS DATE) AS first_date,
        CAST((c.ends_at - INTERVAL 1 MICROSECOND) AT TIME ZONE m.zone AS DATE) AS last_date
    FROM consumption_hourly AS c CROSS JOIN (SELECT zone FROM municipality LIMIT 1) AS m
    WHERE c.ends_at - c.starts_at <= INTERVAL 31 DAY
),
dated AS (
    SELECT *, unnest(range(first_date, last_date + INTERVAL 1 DAY, INTERVAL 1 DAY)) AS midnight FROM local
),
cut AS (
    SELECT thing_id, CAST(midnight AS DATE) AS local_date, micro, starts, ends,
        epoch_us(midnight AT TIME ZONE zone) AS day_starts,
        epoch_us((midnight + INTERVAL 1 DAY) AT TIME ZONE zone) AS day_ends,
        estimated OR (first_date < last_date AND ends - starts > 5400000000) AS estimated
    FROM dated
),
part AS (
    SELECT *, greatest(starts, day_starts) AS since, least(ends, day_ends) AS until FROM cut
)
SELECT thing_id, local_date,
    CAST(CAST(sum(micro * (until - starts) // (ends - starts) - micro * (since - starts) // (ends - starts)) AS DECIMAL(32, 0))
        * CAST(0.000001 AS DECIMAL(6, 6)) AS DECIMAL(18, 6)) AS volume_m3,
    bool_or(estimated) AS estimated,
    sum(until - since) / any_value(day_ends - day_starts) AS coverage
FROM part
GROUP BY thing_id, local_date;
