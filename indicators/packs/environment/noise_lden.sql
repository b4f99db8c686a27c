/*
id = "environment.noise_lden"
kind = "indicator"
version = 1
unit = "dB[SPL]"
grain = "station, local day"
reads = ["indicator_values", "run"]
needs = ["environment.noise_day", "environment.noise_evening", "environment.noise_night"]
references = ["Lden = 10 lg ((12 10^(Lday/10) + 4 10^((Levening + 5)/10) + 8 10^((Lnight + 10)/10)) / 24) (Directive 2002/49/EC)"]
cadence = "night"
own = true
reach = { before = 0, after = 0 }

[title]
en = "Noise of day, evening and night (Lden)"
sl = "Hrup dneva, večera in noči (Ldvn)"

[meaning]
en = "Level of a local day with 5 dB added in the evening and 10 dB at night. No value unless all three parts have one; coverage is that of the least known part. The indicator of the directive is a year's; this is its day."
sl = "Raven krajevnega dneva s pribitkom 5 dB zvečer in 10 dB ponoči. Vrednosti ni, če je nima kateri od treh delov; pokritost je pokritost najmanj znanega dela. Kazalnik direktive je letni; to je njegov dan."

[[example]]
title = "65, 60 and 55 dB give 65 dB: the penalties lift evening and night to the level of the day"
as_of = 2026-03-04T12:00:00Z
[example.given]
indicator_values = [{ indicator = "environment.noise_day", subject_kind = "thing", subject_id = "x", period_start = "2026-03-02", period_end = "2026-03-03", value = 65.0, coverage = 1.0 }, { indicator = "environment.noise_evening", subject_kind = "thing", subject_id = "x", period_start = "2026-03-02", period_end = "2026-03-03", value = 60.0, coverage = 0.8 }, { indicator = "environment.noise_night", subject_kind = "thing", subject_id = "x", period_start = "2026-03-02", period_end = "2026-03-03", value = 55.0, coverage = 1.0 }]
[[example.expect]]
subject_kind = "thing"
subject_id = "x"
period_start = 2026-03-02
value = 65.0
denominator = 24.0
coverage = 0.8

[[example]]
title = "The sensor was silent at night: no value"
as_of = 2026-03-04T12:00:00Z
[example.given]
indicator_values = [{ indicator = "environment.noise_day", subject_kind = "thing", subject_id = "x", period_start = "2026-03-02", period_end = "2026-03-03", value = 65.0, coverage = 1.0 }, { indicator = "environment.noise_evening", subject_kind = "thing", subject_id = "x", period_start = "2026-03-02", period_end = "2026-03-03", value = 60.0, coverage = 1.0 }]
*/
WITH part AS (
    SELECT subject_id, period_start, coverage,
        CASE indicator WHEN 'environment.noise_day' THEN 12 WHEN 'environment.noise_evening' THEN 4 ELSE 8 END AS hours,
        value + CASE indicator WHEN 'environment.noise_day' THEN 0 WHEN 'environment.noise_evening' THEN 5 ELSE 10 END AS level
    FROM indicator_values
    WHERE indicator IN ('environment.noise_day', 'environment.noise_evening', 'environment.noise_night') AND value IS NOT NULL
)
SELECT 'thing' AS subject_kind, subject_id, period_start, period_start + 1 AS period_end,
    10 * log10(CAST(sum(CAST(hours * pow(10, level / 10) AS DECIMAL(38, 3))) AS DOUBLE) / 24) AS value,
    10 * log10(CAST(sum(CAST(hours * pow(10, level / 10) AS DECIMAL(38, 3))) AS DOUBLE)) AS numerator, sum(hours)::BIGINT AS denominator,
    min(coverage) AS coverage, 1 AS devices, 0.0 AS estimated_share
FROM part CROSS JOIN run AS r
WHERE period_start < r.today
GROUP BY subject_id, period_start
HAVING count(*) = 3
ORDER BY subject_id, period_start
