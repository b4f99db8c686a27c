/*
id = "traffic.above_limit"
kind = "indicator"
version = 1
unit = "%"
grain = "counter, local day"
reads = ["traffic_counter", "assignments", "things", "run"]
references = ["Speeds of free traffic taken as normally distributed: deviation = (v85 - mean) / 1.0364"]
cadence = "night"
reach = { before = 0, after = 0 }
own = true

[title]
en = "Vehicles above the speed limit"
sl = "Vozila nad omejitvijo hitrosti"

[meaning]
en = "Share of the vehicles of a local day above the limit of the counter's place (attribute speed_limit_kmh; without it no value). A counter that reports means and v85 gives a normal distribution in each interval; one with means alone counts the vehicles of the intervals whose mean is above the limit, which is too few. Always estimated: no counter of these tells single speeds. The denominator counts the vehicles with a speed."
sl = "Delež vozil krajevnega dneva nad omejitvijo na mestu števca (atribut speed_limit_kmh; brez njega vrednosti ni). Števec s povprečjem in v85 da v vsakem intervalu normalno porazdelitev; pri samih povprečjih štejejo vozila intervalov, katerih povprečje presega omejitev, kar je premalo. Vedno ocena: posameznih hitrosti noben od teh števcev ne sporoča. Imenovalec so vozila s hitrostjo."

[[example]]
title = "The mean is the limit: half are above it; where means alone are known, one interval of four"
as_of = 2026-03-03T12:00:00Z
[example.given]
things = """SELECT 'c' || i AS thing_id, 'traffic_counter' AS family, CASE WHEN i < 2 THEN '{"speed_limit_kmh": "50"}' ELSE '{}' END AS attributes FROM range(3) AS r (i)"""
assignments = "SELECT 'd' || i AS device_id, 'c' || i AS thing_id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from FROM range(3) AS r (i)"
traffic_counter = """
SELECT 'd' || d AS device_id, '1' AS lane, 'in' AS direction, 'all' AS vehicle_class, TIMESTAMPTZ '2026-03-02 10:00:00Z' + INTERVAL 15 MINUTE * i AS observed_at,
    10 AS count, CASE WHEN d = 0 THEN 50.0 ELSE 48.0 + i END AS speed_mean_kmh, CASE WHEN d = 0 THEN 56.0 END AS speed_v85_kmh
FROM range(4) AS r (i), range(3) AS x (d)"""
[[example.expect]]
subject_kind = "thing"
subject_id = "c0"
period_start = 2026-03-02
value = 50.0
numerator = 20.0
denominator = 40.0
[[example.expect]]
subject_id = "c1"
value = 25.0
estimated_share = 1.0
*/
WITH passed AS (
    SELECT a.thing_id, CAST(c.observed_at AT TIME ZONE r.zone AS DATE) AS local_date, c.count AS vehicles, c.speed_mean_kmh AS mean,
        try_cast(json_extract_string(t.attributes, '$.speed_limit_kmh') AS DOUBLE) AS allowed,
        (c.speed_mean_kmh - allowed) * 1.0364 / nullif(greatest(c.speed_v85_kmh - c.speed_mean_kmh, 0), 0) AS z
    FROM traffic_counter AS c CROSS JOIN run AS r
    JOIN assignments AS a ON a.device_id = c.device_id AND c.observed_at >= a.valid_from
        AND (a.valid_to IS NULL OR c.observed_at < a.valid_to)
    JOIN things AS t ON t.thing_id = a.thing_id
    WHERE c.count > 0 AND c.quality NOT IN (4, 9)
),
judged AS (  -- the normal distribution, to 0.0002
    SELECT thing_id, local_date, vehicles, CASE WHEN mean IS NOT NULL THEN vehicles END AS timed,
        vehicles * CASE WHEN z > 6 THEN 1 WHEN z < -6 THEN 0 WHEN z IS NOT NULL
            THEN 1 / (1 + exp(-(1.5976 * z + 0.07056 * pow(z, 3)))) WHEN mean > allowed THEN 1 WHEN mean IS NOT NULL THEN 0 END AS above
    FROM passed WHERE allowed > 0
)
SELECT 'thing' AS subject_kind, j.thing_id AS subject_id, j.local_date AS period_start, j.local_date + 1 AS period_end,
    100 * sum(j.above) / sum(j.timed) AS value, sum(j.above) AS numerator, sum(j.timed) AS denominator,
    sum(j.timed) / sum(j.vehicles) AS coverage, 1 AS devices, 1.0 AS estimated_share
FROM judged AS j CROSS JOIN run AS r
WHERE j.local_date < r.today
GROUP BY j.thing_id, j.local_date
HAVING sum(j.timed) > 0
ORDER BY subject_id, period_start
