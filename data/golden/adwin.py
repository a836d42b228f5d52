"""When river's ADWIN first sees a change, for src/monitor/history.rs: printed, and embedded there.

Every value is a bucket and every cut is tried, as tallow does; values lie between 0 and 1, both of
which come first, since tallow scales a series to its own range. `None` is a series without a change.

    pip install river==0.26.1
    python data/golden/adwin.py
"""

from river.drift import ADWIN

# (values before, values after, where the mean moves from and to, size of the noise)
CASES = [
    (100, 100, 0.2, 0.8, 0.2),
    (100, 100, 0.4, 0.6, 0.2),
    (60, 140, 0.3, 0.5, 0.1),
    (40, 60, 0.1, 0.9, 0.05),
    (150, 50, 0.7, 0.2, 0.3),
    (200, 0, 0.5, 0.5, 0.4),
    (30, 30, 0.45, 0.55, 0.3),
    (300, 100, 0.5, 0.65, 0.2),
]


def series(before, after, start, end, noise):
    """0 and 1, then values around two means, by a closed formula."""
    values = [0.0, 1.0]
    for i in range(before + after):
        mean = start if i < before else end
        values.append(mean + noise * (((i * 37 + 11) % 101) / 100 - 0.5))
    return values


for case in CASES:
    detector = ADWIN(delta=0.002, clock=1, max_buckets=1000, min_window_length=1, grace_period=0)
    found = None
    for count, value in enumerate(series(*case), start=1):
        detector.update(value)
        if detector.drift_detected:
            found = count
            break
    print(case, found)
