-- The days, weeks, months and years of the municipality: half open, in its zone, with days of 23, 24 and 25 hours.
--
-- civil_days is made of the settings of the home when a snapshot is opened (lake/calendar.py). A working day is one from
-- Monday to Friday that is no holiday. school_holiday is null where the school year is not known. The night window is 2 to 4
-- o'clock: one hour long when clocks go forward, three when they go back.

CREATE OR REPLACE VIEW local_days AS
SELECT local_date, starts_at, ends_at,
    CAST((epoch_us(ends_at) - epoch_us(starts_at)) // 3600000000 AS INTEGER) AS hours,
    CAST(isodow(local_date) AS INTEGER) AS weekday,
    CAST(date_trunc('week', local_date) AS DATE) AS week,
    CAST(date_trunc('month', local_date) AS DATE) AS month,
    CAST(year(local_date) AS INTEGER) AS year,
    isodow(local_date) <= 5 AND holiday_sl IS NULL AS working_day,
    holiday_sl, holiday_en, school_holiday, school_holiday_sl, school_holiday_en,
    night_starts_at, night_ends_at, sunrise, sunset
FROM civil_days;

-- Only whole periods: a week that begins before the first day of the calendar is none.
CREATE OR REPLACE VIEW local_periods AS
WITH named AS (
    SELECT 'day' AS period, local_date AS starts_on, * FROM local_days
    UNION ALL SELECT 'week', week, * FROM local_days
    UNION ALL SELECT 'month', month, * FROM local_days
    UNION ALL SELECT 'year', make_date(year, 1, 1), * FROM local_days
)
SELECT period, starts_on, CAST(max(local_date) + 1 AS DATE) AS ends_on, min(starts_at) AS starts_at, max(ends_at) AS ends_at,
    CAST(count(*) AS INTEGER) AS days, CAST(sum(hours) AS INTEGER) AS hours,
    CAST(count(*) FILTER (working_day) AS INTEGER) AS working_days
FROM named
GROUP BY period, starts_on
HAVING min(local_date) = starts_on AND max(local_date) + 1 =
    CASE period WHEN 'day' THEN starts_on + 1 WHEN 'week' THEN starts_on + 7
        WHEN 'month' THEN CAST(starts_on + INTERVAL 1 MONTH AS DATE) ELSE CAST(starts_on + INTERVAL 1 YEAR AS DATE) END;
