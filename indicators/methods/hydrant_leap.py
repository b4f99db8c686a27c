"""What leaps in a district: its inflow and pressures of the last steps against the half hour before, and what is usual.

What the inflow does at that time of the day, and what pressures and inflow do when pumps switch and tanks fill, is
learned anew every third day from the two weeks before.
"""

from dataclasses import dataclass, field

import numpy as np

from indicators.methods.relation import Floats, Ints, Steps

STEPS_S = (300, 900)  # where a district is measured every quarter of an hour, all takes three times as long
LEARN_DAYS, TRAIN_DAYS, ANEW_DAYS = 7, 14, 3
SPARSE = 4  # one row in so many teaches enough
BEFORE, BEFORE_SEEN = 6, 4  # steps that the last ones are held against, and how many must be there
CLEAR, AGAINST = 3.0, -2.0  # deviations in which the inflow says by itself which way it leapt
DROP_M, FALLS = 0.15, 0.3  # where a tank gives the water, pressure falls so far, and most of what changes does
RIDGE, FLOOR_M, CLIP = 1e-3, 0.003, 4.0


@dataclass(frozen=True)
class Model:
    """What is usual on one day for one window."""

    expected: Floats  # weights of the inflow's change
    most: Floats  # bounds of what lets it be expected
    spread: Floats  # of what remains, m3/h, by hour
    used: Ints  # sensors
    weights: Floats
    usual: Floats  # metres, of each of them
    white: Floats


def _change(values: Floats, window: int) -> Floats:
    """Mean of the last `window` rows less that of the half hour before them; NaN where too little is known."""
    there = np.isfinite(values)
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(np.where(there, values, 0.0), axis=0)])
    seen = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(there, axis=0)])
    end = np.arange(1, len(values) + 1)
    begin, first = np.maximum(end - window, 0), np.maximum(end - window - BEFORE, 0)
    now, before = seen[end] - seen[begin], seen[begin] - seen[first]
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = (sums[end] - sums[begin]) / now - (sums[begin] - sums[first]) / before
    clear: Floats = np.where((now == window) & (before >= BEFORE_SEEN), apart, np.nan)
    return clear


def _robust(values: Floats) -> Floats:
    spread: Floats = 1.4826 * np.median(np.abs(values), axis=0)
    return spread


@dataclass
class Leaps:
    """Changes over one window: of the inflow with what lets it be expected, and of pressures with the flows."""

    steps: Steps
    size: int
    models: dict[int, Model] = field(default_factory=dict)  # by the first step that they are for

    def __post_init__(self) -> None:
        """Take all changes at once; what is usual is learned day by day."""
        net, steps = self.steps.net[:, None], self.steps
        self.day = 86400 // steps.step_s
        self.net = _change(net, self.size)[:, 0]
        self.features = _change(steps.features[:, 1:], self.size)
        self.pressure = _change(steps.pressure, self.size)
        self.tanks = levels(steps).shape[1]
        self.expects = np.concatenate([self._days(), self._trend(net), self._tanks()], axis=1)
        self.flow = np.full(len(net), np.nan)  # what remains, m3/h
        self.spread = np.full(len(net), np.nan)
        self.left = np.full(self.pressure.shape, np.nan)
        self.fit = np.full(len(net), 0.0)

    def _days(self) -> Floats:
        """The same change a week ago, and the middle one of the last seven days, each smoothed over half an hour."""
        kernel = np.ones(BEFORE + 1)
        there = np.isfinite(self.net)
        seen = np.convolve(there, kernel, "same")
        smooth = np.convolve(np.where(there, self.net, 0.0), kernel, "same") / np.maximum(seen, 1)
        smooth[seen < BEFORE_SEEN] = np.nan
        past = np.full((len(self.net), 7), np.nan)
        for day in range(1, 8):
            past[day * self.day :, day - 1] = smooth[: max(len(smooth) - day * self.day, 0)]
        known = np.isfinite(past).any(axis=1)
        middle = np.zeros(len(past))
        middle[known] = np.nanmedian(past[known], axis=1)
        week = np.where(np.isfinite(past[:, 6]), past[:, 6], middle)
        return np.stack([middle, week], axis=1)

    def _trend(self, net: Floats) -> Floats:
        """How the half hour before rose."""
        rows = np.concatenate([np.full((self.size + BEFORE, 1), np.nan), net])
        lagged = [rows[BEFORE - back : BEFORE - back + len(net), 0] for back in range(BEFORE)]  # newest first
        late, early = np.array(lagged[: BEFORE // 2]), np.array(lagged[BEFORE // 2 :])
        rise = np.where(np.isfinite(late) & np.isfinite(early), late - early, 0.0).mean(axis=0)
        trend: Floats = rise[:, None]
        return trend

    def _tanks(self) -> Floats:
        """Levels that begin to rise or fall: a tank that is being filled draws water, too."""
        level = levels(self.steps)
        slope = np.diff(level, axis=0, prepend=np.full((1, level.shape[1]), np.nan))
        begins: Floats = np.nan_to_num(_change(slope, self.size))
        return begins

    def learn(self, start: int, stop: int) -> Model | None:
        """Learn from the days before `start` what is usual in [start, stop), and keep what remains."""
        last = max(self.models, default=None)
        if last is None or start - last >= ANEW_DAYS * self.day:
            model = self._model(max(start - TRAIN_DAYS * self.day, 0), start)
            if model is None:
                return None
            self.models[start] = model
        else:
            model = self.models[last]
        day = slice(start, stop)
        hour = self.steps.hour[day].astype(np.int64) % 24
        self.flow[day] = self.net[day] - np.clip(self.expects[day], -model.most, model.most) @ model.expected
        self.spread[day] = model.spread[hour]
        left = self.pressure[day][:, model.used] - np.nan_to_num(self.features[day]) @ model.weights
        there = np.isfinite(self.features[day]).all(axis=1, keepdims=True)
        left = np.where(np.isfinite(left) & there, left, 0.0)
        self.left[day] = 0.0
        self.left[day, model.used] = left
        if len(model.used):
            self.fit[day] = ((left @ model.white) ** 2).mean(axis=1)
        return model

    def _model(self, first: int, last: int) -> Model | None:
        rows = np.arange(first, last)
        clear = np.isfinite(self.net[rows]) & np.isfinite(self.features[rows]).all(axis=1)
        rows = rows[clear]
        if len(rows) < LEARN_DAYS * self.day // 2:
            return None
        expects = self.expects[rows]
        most = CLIP * _robust(expects)  # a leap of today is no trend
        most[-self.tanks or len(most) :] = np.inf  # but of what tanks take it is known
        expects = np.clip(expects, -most, most)
        expected = _ridge(expects, self.net[rows])
        apart = self.net[rows] - expects @ expected
        hour = self.steps.hour[rows].astype(np.int64) % 24
        every = max(float(_robust(apart)), 1e-3)
        spread = np.array(
            [float(_robust(apart[hour == h])) if np.sum(hour == h) > BEFORE else every for h in range(24)]
        )
        spread = np.maximum((np.roll(spread, 1) + spread + np.roll(spread, -1)) / 3, 0.3 * every)
        seen = np.isfinite(self.pressure[rows])
        used = np.flatnonzero(seen.mean(axis=0) >= 0.8) if seen.size else np.empty(0, np.int64)  # noqa: PLR2004 - of the time
        rows = rows[seen[:, used].all(axis=1)][::SPARSE]
        if len(rows) * SPARSE < self.day:
            used = np.empty(0, np.int64)
        weights = _ridge(self.features[rows], self.pressure[rows][:, used])
        left = self.pressure[rows][:, used] - self.features[rows] @ weights
        if not len(used):
            return Model(expected, most, spread, used, weights, np.empty(0), np.empty((0, 0)))
        usual = _robust(left) + FLOOR_M
        bound = CLIP * usual
        left = np.clip(left, -bound, bound)
        white = np.linalg.cholesky(np.linalg.inv(left.T @ left / len(left) + FLOOR_M**2 * np.eye(len(used))))
        return Model(expected, most, spread, used, weights, usual, white)

    def score(self, day: slice, model: Model) -> Floats:
        """Give standard deviations of the inflow's leap and of the pressures' together; none where the inflow fell."""
        leap = self.flow[day] / self.spread[day]
        fell = np.zeros(len(leap))
        if len(model.used):
            share = self.left[day][:, model.used] / model.usual
            falls = (-share * np.abs(share)).sum(axis=1) > FALLS * (share**2).sum(axis=1)
            deep = self.left[day][:, model.used].min(axis=1) < -DROP_M
            fell = (self.fit[day] - 1) * np.sqrt(len(model.used)) / 2  # like a normal one, with its heavy tail
            fell = np.where((falls & deep) | (leap > CLEAR), np.maximum(fell, 0.0), 0.0)
        score = np.hypot(np.maximum(leap, 0.0), fell)
        return np.where(leap > AGAINST, np.nan_to_num(score), 0.0)

    def since(self, first: int, rows: Ints, model: Model) -> tuple[Floats, Floats]:
        """What remains at `rows` of inflow and pressures against the half hour before step `first`."""
        base = slice(max(first - BEFORE, 0), first)
        told = []
        for values in (self.steps.net[:, None], self.steps.features[:, 1:], self.steps.pressure):
            there = np.isfinite(values[base])
            before = np.where(there, values[base], 0.0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
            told.append((values[rows] + values[rows - 1]) / 2 - before)
        net, features, pressure = told
        left = np.zeros(pressure.shape)
        left[:, model.used] = np.nan_to_num(pressure[:, model.used] - features @ model.weights)
        return np.nan_to_num(net[:, 0]), left

    @staticmethod
    def joint(flow: Floats, left: Floats, model: Model, error: float) -> Floats:
        """What remains of inflow and pressures in units of what is usual, a row a step."""
        told: Floats = np.concatenate([flow[:, None] / error, left[:, model.used] @ model.white], axis=1)
        return np.nan_to_num(told)


def levels(steps: Steps) -> Floats:
    """The columns of a district's tanks."""
    columns: Floats = steps.features[:, 2 + 2 * len(steps.flows) : -4]
    return columns


def _ridge(given: Floats, told: Floats) -> Floats:
    """Weights of a regression through zero, not steered by a few large values."""
    scale = given.std(axis=0) + 1e-9
    scaled = given / scale
    left = scaled.T @ scaled + RIDGE * len(scaled) * np.eye(scaled.shape[1])
    weights = np.linalg.solve(left, scaled.T @ told)
    apart = told - scaled @ weights
    bound = CLIP * (_robust(apart) + 1e-6) if len(apart) else 0.0
    weights = np.linalg.solve(left, scaled.T @ (scaled @ weights + np.clip(apart, -bound, bound)))
    found: Floats = weights / (scale[:, None] if weights.ndim > 1 else scale)
    return found
