-- All steps (first and last NULL), or those a calculation of the days first to last needs: every step of at most 31 days
-- that overlaps these days is there and as among all steps; what else is there may be incomplete.
--
-- A day is read with its neighbours. Further out, 64 days before and 57 after, only devices are read whose registers do
-- not simply rise there (what fell may be a mistake that is seen by what came before or after), whose neighbour is more
-- than a day away, or which were hung or taken down.
CREATE OR REPLACE MACRO register_steps(points, spans, first, last) AS TABLE
WITH span AS MATERIALIZED (
    SELECT row_number() OVER (ORDER BY thing_id, device_id, valid_from, measure) AS n, * FROM query_table(spans)
),
wide AS MATERIALIZED (
    SELECT measure, device_id FROM register_sketch(points, spans, first, last)
    WHERE torn OR before < CAST(first AS DATE) - 2 OR after > CAST(last AS DATE) + 2
),
picked AS (
    SELECT measure, device_id, observed_at, register FROM query_table(points) WHERE first IS NULL
    UNION ALL
    SELECT p.measure, p.device_id, p.observed_at, p.register
    FROM query_table(points) AS p ANTI JOIN wide AS w ON w.measure = p.measure AND w.device_id = p.device_id
    WHERE first IS NOT NULL AND p.day BETWEEN CAST(first AS DATE) - 2 AND CAST(last AS DATE) + 2
    UNION ALL
    SELECT p.measure, p.device_id, p.observed_at, p.register
    FROM query_table(points) AS p SEMI JOIN wide AS w ON w.measure = p.measure AND w.device_id = p.device_id
    WHERE first IS NOT NULL AND p.day BETWEEN CAST(first AS DATE) - 64 AND CAST(last AS DATE) + 57
),
point AS (
    SELECT s.n, p.observed_at AS seen, p.register
    FROM picked AS p
    JOIN span AS s ON s.measure = p.measure AND s.device_id = p.device_id AND p.observed_at >= s.valid_from
        AND (s.valid_to IS NULL OR p.observed_at < s.valid_to)
        AND NOT (p.observed_at = s.valid_from AND s.start_register IS NOT NULL)  -- the protocol of exchange wins
    UNION ALL
    SELECT n, valid_from, start_register FROM span
    WHERE start_register IS NOT NULL AND (first IS NULL OR CAST(valid_from AS DATE) BETWEEN CAST(first AS DATE) - 64 AND CAST(last AS DATE) + 57)
    UNION ALL
    SELECT n, valid_to, end_register FROM span
    WHERE valid_to IS NOT NULL AND end_register IS NOT NULL
        AND (first IS NULL OR CAST(valid_to AS DATE) BETWEEN CAST(first AS DATE) - 64 AND CAST(last AS DATE) + 57)
),
step AS MATERIALIZED (
    SELECT n, seen, register, lag(seen) OVER w AS since, lag(register) OVER w AS before
    FROM point WINDOW w AS (PARTITION BY n ORDER BY seen)
),
torn AS MATERIALIZED (  -- the few whose register ever falls or turns: only they pay for the windows below
    SELECT DISTINCT p.n FROM step AS p JOIN span AS s ON s.n = p.n
    WHERE register_fell(p.before, p.register, epoch_us(p.seen) - epoch_us(p.since), s.back, p.register = 0)
        OR (p.register >= 0.9 * s.full_at AND p.before < 0.1 * s.full_at)
),
turning AS (
    SELECT p.*, s.full_at, s.most, s.back,
        CASE WHEN p.before >= 0.9 * s.full_at AND p.before < s.full_at AND p.register < 0.1 * s.full_at
                AND NOT register_jumped(p.before, p.register + s.full_at, epoch_us(p.seen) - epoch_us(p.since), s.most)
            THEN s.full_at
            WHEN p.register >= 0.9 * s.full_at AND p.register < s.full_at AND p.before < 0.1 * s.full_at
                AND register_jumped(p.before, p.register, epoch_us(p.seen) - epoch_us(p.since), s.most)
            THEN -s.full_at
            ELSE 0 END AS turn
    FROM step AS p SEMI JOIN torn AS t ON t.n = p.n JOIN span AS s ON s.n = p.n
),
lifted AS (
    SELECT n, seen, register, most, back,
        CAST(register + sum(turn) OVER (PARTITION BY n ORDER BY seen) AS DECIMAL(18, 6)) AS height
    FROM turning
),
-- One low reading, as of a message that was late and bears a wrong time: the next one is where it was before, and it is
-- not the one before that stood out.
next_to AS (
    SELECT *, lag(height) OVER w AS before, lag(seen) OVER w AS since, lead(height) OVER w AS after, lead(seen) OVER w AS until,
        lag(height, 2) OVER w AS further, lag(seen, 2) OVER w AS further_at
    FROM lifted WINDOW w AS (PARTITION BY n ORDER BY seen)
),
prompt AS (
    SELECT n, seen, register, most, back, height FROM next_to
    WHERE NOT coalesce(register_fell(before, height, epoch_us(seen) - epoch_us(since), back, register = 0)
        AND after >= before - 0.001 AND until - since <= INTERVAL 1 DAY
        AND NOT coalesce(further <= height + 0.001 AND seen - further_at <= INTERVAL 1 DAY, false), false)
),
-- Spikes: high for less than a day, until the register falls back to where it had been within the day before, or below
-- half of a jump that no meter makes.
leap AS (
    SELECT *, lag(height) OVER w AS before, lag(seen) OVER w AS since
    FROM prompt WINDOW w AS (PARTITION BY n ORDER BY seen)
),
eventful AS (
    SELECT n, seen, register, most, back, height,
        CASE WHEN register_fell(before, height, epoch_us(seen) - epoch_us(since), back, register = 0) THEN height END AS falls_to,
        CASE WHEN seen - since <= INTERVAL 1 DAY AND register_jumped(before, height, epoch_us(seen) - epoch_us(since), most)
            THEN (before + height) / 2 END AS half
    FROM leap
),
high AS (
    SELECT n, seen, register, most, back, height,
        first_value(falls_to IGNORE NULLS) OVER (w RANGE BETWEEN INTERVAL 1 MICROSECOND FOLLOWING AND INTERVAL 1 DAY FOLLOWING) AS falls_to,
        min(height) OVER (w RANGE BETWEEN INTERVAL 1 DAY PRECEDING AND INTERVAL 1 MICROSECOND PRECEDING) AS lowest,
        last_value(half IGNORE NULLS) OVER (w RANGE BETWEEN INTERVAL 1 DAY PRECEDING AND CURRENT ROW) AS half
    FROM eventful WINDOW w AS (PARTITION BY n ORDER BY seen)
),
level AS (
    SELECT n, seen, register, most, back, height,
        lag(height) OVER (PARTITION BY n ORDER BY seen) AS before, lag(seen) OVER (PARTITION BY n ORDER BY seen) AS since
    FROM high
    WHERE NOT coalesce(height > falls_to + 0.001 AND lowest <= falls_to + 0.001, false)
        AND NOT coalesce(height > half AND falls_to < half, false)
),
-- Glitches: low for at most three weeks, then back by a leap of at least half the height it had fallen. A reset climbs slowly.
fallen AS (
    SELECT *, CASE WHEN seen - since <= INTERVAL 7 DAY
        AND register_fell(before, height, epoch_us(seen) - epoch_us(since), back, register = 0) THEN before END AS top
    FROM level
),
low AS (
    SELECT n, seen, register, most, back, height,
        last_value(top IGNORE NULLS) OVER earlier AS top,
        last_value(CASE WHEN top IS NOT NULL THEN height END IGNORE NULLS) OVER earlier AS bottom,
        max(height) OVER later AS highest, max(height - before) OVER later AS leap
    FROM fallen
    WINDOW earlier AS (PARTITION BY n ORDER BY seen RANGE BETWEEN INTERVAL 21 DAY PRECEDING AND CURRENT ROW),
        later AS (PARTITION BY n ORDER BY seen RANGE BETWEEN INTERVAL 1 MICROSECOND FOLLOWING AND INTERVAL 21 DAY FOLLOWING)
),
sound AS (
    SELECT n, seen, register, height,
        lag(seen) OVER w AS since, lag(register) OVER w AS register_before, lag(height) OVER w AS before
    FROM low
    WHERE NOT coalesce(height < top - 0.001 AND highest >= top - 0.001 AND 2 * leap >= top - bottom, false)
    WINDOW w AS (PARTITION BY n ORDER BY seen)
),
pair AS (
    SELECT n, since, seen, before AS register_before, register, before, register AS height
    FROM step ANTI JOIN torn USING (n)
    UNION ALL
    SELECT n, since, seen, register_before, register, before, height FROM sound
),
judged AS (
    SELECT s.measure, s.thing_id, s.device_id, p.since AS starts_at, p.seen AS ends_at, p.register_before, p.register AS register_after,
        p.height - p.before AS rise,
        CASE WHEN p.height < p.before THEN
                CASE WHEN register_fell(p.before, p.height, epoch_us(p.seen) - epoch_us(p.since), s.back, p.register = 0)
                    THEN 'reset' ELSE 'reverse' END
            WHEN register_jumped(p.before, p.height, epoch_us(p.seen) - epoch_us(p.since), s.most) THEN 'jump'
            WHEN p.register < p.register_before THEN 'rollover'
            ELSE 'counted' END AS step
    FROM pair AS p JOIN span AS s ON s.n = p.n
    WHERE p.seen > p.since
)
SELECT measure, thing_id, device_id, starts_at, ends_at,
    CAST(CASE WHEN step IN ('counted', 'rollover') THEN rise ELSE 0 END AS DECIMAL(18, 6)) AS amount,
    step IN ('reset', 'jump') AS estimated,
    CAST(CASE WHEN step = 'reverse' THEN -rise ELSE 0 END AS DECIMAL(18, 6)) AS backwards,
    step, register_before, register_after
FROM judged;
