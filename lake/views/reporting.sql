-- What was in the town on local days, and which of it reported. `days` names a relation of local_date and ends_at.

-- Devices by the place where they hung at the end of a day.
CREATE OR REPLACE MACRO hung_days(days) AS TABLE
SELECT d.local_date, a.thing_id, a.device_id, v.family
FROM query_table(days) AS d
JOIN assignments AS a ON a.valid_from < d.ends_at AND (a.valid_to IS NULL OR a.valid_to >= d.ends_at)
JOIN devices AS v ON v.device_id = a.device_id;

-- Devices with a good day in the last seven, or three expected intervals (relation `expected`: family, seconds) if that is longer.
CREATE OR REPLACE MACRO alive_days(days, expected) AS TABLE
SELECT DISTINCT d.local_date, g.device_id
FROM query_table(days) AS d CROSS JOIN good_days AS g
JOIN query_table(expected) AS e ON e.family = g.family
WHERE g.local_date <= d.local_date
    AND g.local_date > d.local_date - greatest(7, CAST(ceil(3 * e.seconds / 86400.0) AS INTEGER));

-- Objects that the register had at the end of a day, each once.
CREATE OR REPLACE MACRO registered_days(days) AS TABLE
SELECT d.local_date, i.register, i.object_id, max(i.weight) AS weight
FROM query_table(days) AS d JOIN inventory AS i ON i.valid_from < d.ends_at AND (i.valid_to IS NULL OR i.valid_to >= d.ends_at)
GROUP BY d.local_date, i.register, i.object_id;
