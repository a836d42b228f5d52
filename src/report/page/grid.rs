//! Paths on a grid of integers: shorter than those of coordinates, where a page has many.
//!
//! Owns their spelling. It must not know what is drawn.

use std::fmt::Write;

/// Where a point lies on a grid of integers.
fn on_grid(value: f64) -> i64 {
    if value.is_finite() {
        value.clamp(-1e6, 1e6).round() as i64
    } else {
        0
    }
}

/// A line through points of a grid of integers, each from the one before: `M0 50l2-13 2 5`. Points
/// between two of the same height are left out.
#[must_use]
pub fn line(points: impl IntoIterator<Item = [f64; 2]>) -> String {
    let mut kept: Vec<[i64; 2]> = Vec::new();
    for point in points {
        let point = point.map(on_grid);
        if let [.., before, last] = &mut kept[..]
            && before[1] == last[1]
            && last[1] == point[1]
        {
            *last = point;
        } else {
            kept.push(point);
        }
    }
    let mut path = String::new();
    let mut separator = "";
    for (index, [x, y]) in kept.iter().copied().enumerate() {
        let Some([before_x, before_y]) = index.checked_sub(1).map(|before| kept[before]) else {
            let _ = write!(path, "M{x} {y}");
            separator = "l";
            continue;
        };
        for step in [x - before_x, y - before_y] {
            // A sign parts two numbers, too.
            let separator = if step < 0 && separator == " " {
                ""
            } else {
                std::mem::replace(&mut separator, " ")
            };
            let _ = write!(path, "{separator}{step}");
        }
        separator = " ";
    }
    path
}

/// Dots at points of a grid of integers.
#[must_use]
pub fn dots(points: impl IntoIterator<Item = [f64; 2]>) -> String {
    points.into_iter().fold(String::new(), |mut path, point| {
        let [x, y] = point.map(on_grid);
        let _ = write!(path, "M{x} {y}h0");
        path
    })
}

/// Lines from top to bottom of a grid of integers.
#[must_use]
pub fn verticals(all: impl IntoIterator<Item = f64>, height: f64) -> String {
    let height = on_grid(height);
    all.into_iter().fold(String::new(), |mut path, x| {
        let _ = write!(path, "M{} 0v{height}", on_grid(x));
        path
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_a_grid_are_integers_from_the_one_before() {
        let points = [
            [1.0, 50.2],
            [3.0, 36.9],
            [5.0, 42.0],
            [7.0, 42.1],
            [9.0, 41.8],
            [11.0, 0.0],
        ];
        assert_eq!(line(points), "M1 50l2-13 2 5 4 0 2-42");
        assert_eq!(line([[1.0, 2.0]]), "M1 2");
        assert_eq!(line([[f64::NAN, 2.0], [f64::INFINITY, -2.0]]), "M0 2l0-4");
        assert_eq!(line([]), "");
        assert_eq!(dots([[1.0, 2.4], [3.0, 4.0]]), "M1 2h0M3 4h0");
        assert_eq!(verticals([1.0, 3.0], 240.0), "M1 0v240M3 0v240");
    }
}
