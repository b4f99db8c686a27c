/*
id = "platform.quarantine_share"
kind = "indicator"
version = 1
unit = "%"
grain = "gateway and town, day of receipt"
reads = ["balance", "municipality", "run"]
references = ["The sheet of messages: received = decoded + housekeeping + quarantined"]
cadence = "night"

[title]
en = "Messages in quarantine"
sl = "Sporočila v karanteni"

[meaning]
en = "Share of the messages received on a day that went into quarantine, whole; the readings that were held one by one count with the share of their message's readings. The day is that of receipt in UTC, as in the balance, not that of the readings."
sl = "Delež sporočil, prejetih v dnevu, ki so šla v karanteno v celoti; zadržani posamezni odčitki štejejo z deležem odčitkov. Dan je dan prejema po UTC, kot v bilanci, in ne dan odčitkov."

[[example]]
title = "Five of a hundred messages, and five of a hundred readings of the others; today is not over"
as_of = 2026-03-03T12:00:00Z
[example.given]
balance = """
SELECT DATE '2026-03-02' AS day, 'd1' AS device_id, 'gw' AS gateway, 100 AS received, 95 AS decoded, 0 AS housekeeping, 5 AS quarantined,
    100 AS readings, 95 AS stored, 0 AS completed, 0 AS revised, 0 AS duplicate, 5 AS readings_quarantined, 0 AS too_old
UNION ALL SELECT DATE '2026-03-03', 'd1', 'gw', 10, 10, 0, 0, 10, 10, 0, 0, 0, 0, 0"""
[[example.expect]]
subject_kind = "gateway"
subject_id = "gw"
period_start = 2026-03-02
value = 9.75
denominator = 100.0
[[example.expect]]
subject_kind = "municipality"
subject_id = "town"
value = 9.75

[[example]]
title = "Nothing was received: no value"
as_of = 2026-03-03T12:00:00Z
[example.given]
balance = "SELECT DATE '2026-03-02' AS day, 'd1' AS device_id, 0 AS received, 0 AS decoded, 0 AS quarantined, 0 AS readings, 0 AS readings_quarantined"
*/
WITH place AS (
    SELECT 'gateway' AS subject_kind, gateway AS subject_id, * FROM balance WHERE gateway IS NOT NULL
    UNION ALL SELECT 'municipality', m.name, b.* FROM balance AS b CROSS JOIN municipality AS m
),
sheet AS (
    SELECT subject_kind, subject_id, day, sum(received) AS received, coalesce(sum(quarantined), 0) AS quarantined,
        coalesce(sum(decoded), 0) AS decoded, coalesce(sum(readings), 0) AS readings,
        coalesce(sum(readings_quarantined), 0) AS held, count(DISTINCT device_id) AS devices
    FROM place GROUP BY subject_kind, subject_id, day
)
SELECT s.subject_kind, s.subject_id, s.day AS period_start, s.day + 1 AS period_end,
    100 * (s.quarantined + coalesce(s.decoded * s.held / nullif(s.readings, 0), 0)) / s.received AS value,
    s.quarantined + coalesce(s.decoded * s.held / nullif(s.readings, 0), 0) AS numerator, s.received AS denominator,
    1.0 AS coverage, s.devices, 0.0 AS estimated_share
FROM sheet AS s CROSS JOIN run AS r
WHERE s.received > 0 AND s.day < CAST(r.as_of AS DATE)
ORDER BY subject_kind, subject_id, period_start
