"""What is rolled up of members, beside the same sums of the events that it says it holds."""

from __future__ import annotations

from quota.selectors.reconcile import names

# Of the members `ids`, whole days of UTC, from that of `since` to that of `until`.
ROLLUPS = f"""
WITH scope AS (
    SELECT id, date_bin('1 day', since, 'epoch') AS since, max(date_bin('1 day', until, 'epoch')) AS until
    FROM unnest(%(ids)s::bigint[], %(since)s::timestamptz[], %(until)s::timestamptz[])
        AS scope (id, since, until)
    GROUP BY 1, 2
), counted AS (
    SELECT e.*, s.since FROM scope s
        JOIN quota_usageevent e ON e.membership_id = s.id
            AND e.occurred_at >= s.since AND e.occurred_at < s.until + interval '1 day'
    WHERE e.id <= (SELECT rolled_up_to FROM quota_usagewatermark)
        AND NOT EXISTS (SELECT 1 FROM quota_usagestraggler s WHERE s.event_id = e.id)
), event AS (
    SELECT membership_id, coalesce(api_key_id, 0) AS api_key, model, modality, is_undo, occurred_at, kind.*,
        team_id, amount_nanousd, from_quota_nanousd, from_credits_nanousd, from_balance_nanousd,
        overrun_nanousd, since
    FROM counted CROSS JOIN LATERAL (
        SELECT CASE tags WHEN '[]' THEN 'no tags' ELSE 'some tags' END AS kind, '' AS tag
        UNION ALL
        SELECT 'tag', jsonb_array_elements_text(tags)
    ) AS kind
), expected AS (
    SELECT since, team_id, membership_id, api_key, model, modality, kind, tag, width.hours,
        date_bin(make_interval(hours => width.hours), occurred_at, 'epoch') AS starts_at,
        count(*) FILTER (WHERE NOT is_undo) - count(*) FILTER (WHERE is_undo) AS calls,
        sum(amount_nanousd) AS amount, sum(from_quota_nanousd) AS quota, sum(from_credits_nanousd) AS credits,
        sum(from_balance_nanousd) AS balance, sum(overrun_nanousd) AS overrun
    FROM event CROSS JOIN (VALUES (1), (24)) AS width (hours)
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
), found AS (
    SELECT s.since, team_id, membership_id, coalesce(api_key_id, 0) AS api_key, model, modality,
        CASE WHEN tagged THEN 'some tags' ELSE 'no tags' END AS kind, '' AS tag,
        width_hours::integer AS hours, starts_at, calls, amount_nanousd AS amount,
        from_quota_nanousd AS quota, from_credits_nanousd AS credits, from_balance_nanousd AS balance,
        overrun_nanousd AS overrun
    FROM scope s JOIN quota_usagerollup r ON r.membership_id = s.id
        AND r.starts_at >= s.since AND r.starts_at < s.until + interval '1 day'
    UNION ALL
    SELECT s.since, team_id, membership_id, coalesce(api_key_id, 0), model, modality, 'tag', tag,
        width_hours::integer, starts_at, calls, amount_nanousd, from_quota_nanousd, from_credits_nanousd,
        from_balance_nanousd, overrun_nanousd
    FROM scope s JOIN quota_tagrollup r ON r.membership_id = s.id
        AND r.starts_at >= s.since AND r.starts_at < s.until + interval '1 day'
)
SELECT format('usage rolled up of %%s, %%s hours from %%s, %%s, %%s', {names.member("membership_id")}, hours,
        to_char(starts_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"'), model,
        concat_ws(' ', kind, nullif(tag, ''))),
    format('%%s calls, %%s + %%s + %%s + %%s nano-dollars', coalesce(e.calls, 0), coalesce(e.quota, 0),
        coalesce(e.credits, 0), coalesce(e.balance, 0), coalesce(e.overrun, 0)),
    format('%%s calls, %%s + %%s + %%s + %%s nano-dollars', coalesce(f.calls, 0), coalesce(f.quota, 0),
        coalesce(f.credits, 0), coalesce(f.balance, 0), coalesce(f.overrun, 0))
FROM expected e
    FULL JOIN found f
        USING (since, team_id, membership_id, api_key, model, modality, kind, tag, hours, starts_at)
WHERE (e.calls, e.amount, e.quota, e.credits, e.balance, e.overrun)
    IS DISTINCT FROM (f.calls, f.amount, f.quota, f.credits, f.balance, f.overrun)
ORDER BY membership_id, starts_at, hours, model, kind, tag
"""  # noqa: S608  (its parts are constants of ours)
