"""How much more flows into a district than was usual then: over a day, and across a sudden change."""

import numpy as np

from indicators.methods.relation import DAY, Floats

WEEK = 7 * DAY
LEAST = 4  # steps before a change that it is held against


def more(flow: Floats, at: int, window: int) -> float:
    """How much more flows in than a week before at this time, by how the day before it compared (m3/h)."""
    begin = at - window + 1
    if begin - WEEK - DAY >= 0:
        usual = flow[begin - WEEK : at + 1 - WEEK]
        before, then = flow[begin - DAY : begin], flow[begin - DAY - WEEK : begin - WEEK]
        if np.isfinite(usual).any() and np.isfinite(before).any() and np.isfinite(then).any():
            return float(np.nanmean(flow[begin : at + 1]) - np.nanmean(usual) * np.nanmean(before) / np.nanmean(then))
    usual = flow[max(begin - DAY, 0) : max(at + 1 - DAY, 1)]
    return float(np.nanmean(flow[begin : at + 1]) - np.nanmean(usual)) if np.isfinite(usual).any() else 0.0


def stepped(flow: Floats, at: int, window: int) -> float:
    """How much more flows in after a sudden change than just before it, less the same one and two weeks ago (m3/h)."""
    now = _across(flow, at, window)
    past = [_across(flow, at - weeks * WEEK, window) for weeks in (1, 2)]
    known = [one for one in past if np.isfinite(one)] or [_across(flow, at - DAY, window)]
    rise = now - float(np.mean(known))
    return rise if np.isfinite(rise) else 0.0


def _across(flow: Floats, at: int, window: int) -> float:
    begin = at - window + 1
    before, after = flow[max(begin - max(window, LEAST), 0) : max(begin, 0)], flow[max(begin, 0) : max(at + 1, 0)]
    if not (np.isfinite(before).any() and np.isfinite(after).any()):
        return float("nan")
    return float(np.nanmean(after) - np.nanmean(before))
