//! Charts as inline SVG: no script, positions in percent, text in pixels.
//!
//! Owns the marks and their coordinates, each with one decimal, so that the same facts give the
//! same bytes. Colours are classes of the page's style sheet. It must not know what is drawn.

use std::fmt::Write;

use super::block::{html, on_page};
use crate::report::number;

/// SVG that this file made: every text in it is escaped.
#[derive(Clone, Debug, Default)]
pub struct Svg(pub(super) String);

/// A coordinate with one decimal.
#[must_use]
pub fn coordinate(value: f64) -> String {
    let value = if value.is_finite() {
        value.clamp(-1e6, 1e6)
    } else {
        0.0
    };
    let rounded = (value * 10.0).round() / 10.0;
    // Minus zero would be a second form of zero.
    let rounded = if rounded == 0.0 { 0.0 } else { rounded };
    format!("{rounded}")
}

/// A chart that is being drawn.
#[derive(Debug, Default)]
pub struct Chart {
    marks: String,
    height: u32,
    width: String,
    label: String,
}

impl Chart {
    /// An empty chart of this height in pixels, as wide as its frame, with the sentence that a
    /// screen reader says.
    #[must_use]
    pub fn new(height: u32, label: &str) -> Self {
        Self::of_width("100%", height, label)
    }

    /// An empty chart of this width.
    #[must_use]
    pub fn of_width(width: &str, height: u32, label: &str) -> Self {
        Self {
            marks: String::new(),
            height,
            width: width.to_owned(),
            label: label.to_owned(),
        }
    }

    /// Shapes in a box of their own, which is stretched to the chart: `paths` are (class, d).
    pub fn stretched(&mut self, view: [f64; 2], paths: &[(&str, String)]) {
        let [width, height] = view.map(coordinate);
        let _ = write!(
            self.marks,
            "<svg class=\"v\" viewBox=\"0 0 {width} {height}\" preserveAspectRatio=\"none\">"
        );
        for (class, d) in paths.iter().filter(|(_, d)| !d.is_empty()) {
            let _ = write!(self.marks, "<path class=\"{class}\" d=\"{d}\"/>");
        }
        self.marks.push_str("</svg>");
    }

    /// A rectangle: left, width, top and height in percent.
    pub fn rect(&mut self, class: &str, x: f64, width: f64, y: f64, height: f64) {
        let [x, width, y, height] = [x, width, y, height].map(coordinate);
        let _ = write!(
            self.marks,
            "<rect class=\"{class}\" x=\"{x}%\" width=\"{width}%\" y=\"{y}%\" \
             height=\"{height}%\"/>"
        );
    }

    /// A vertical line at `x` percent, reaching so many pixels beyond both ends.
    pub fn vertical(&mut self, class: &str, x: f64, beyond: i32) {
        let bottom = self.height as i32 + beyond;
        let _ = write!(
            self.marks,
            "<line class=\"{class}\" x1=\"{x}%\" x2=\"{x}%\" y1=\"{}\" y2=\"{bottom}\"/>",
            -beyond,
            x = coordinate(x)
        );
    }

    /// A horizontal line at `y` percent.
    pub fn horizontal(&mut self, class: &str, y: f64) {
        let _ = write!(
            self.marks,
            "<line class=\"{class}\" x1=\"0\" x2=\"100%\" y1=\"{y}%\" y2=\"{y}%\"/>",
            y = coordinate(y)
        );
    }

    /// The axis at the bottom.
    pub fn axis(&mut self) {
        self.horizontal("ax", 100.0);
    }

    /// A dot with the text that shows when the pointer is on it.
    pub fn dot(&mut self, class: &str, [x, y]: [f64; 2], radius: f64, title: &str) {
        let _ = write!(
            self.marks,
            "<circle class=\"{class}\" cx=\"{}%\" cy=\"{}%\" r=\"{radius}\"><title>{}</title>\
             </circle>",
            coordinate(x),
            coordinate(y),
            html(title)
        );
    }

    /// A triangle at the upper or lower edge for a value that lies beyond it.
    pub fn triangle(&mut self, x: f64, is_above: bool, title: &str) {
        let (y, shape) = if is_above {
            ("", "up")
        } else {
            (" y=\"100%\"", "down")
        };
        let _ = write!(
            self.marks,
            "<use href=\"#{shape}\" x=\"{}%\"{y}><title>{}</title></use>",
            coordinate(x),
            html(title)
        );
    }

    /// A text at (x, y) in percent, moved by pixels; `anchor` is start, middle or end.
    pub fn text(
        &mut self,
        class: &str,
        [x, y]: [f64; 2],
        [dx, dy]: [i32; 2],
        anchor: &str,
        text: &str,
    ) {
        let class = if class.is_empty() {
            String::new()
        } else {
            format!(" class=\"{class}\"")
        };
        let _ = write!(
            self.marks,
            "<text{class} x=\"{}%\" y=\"{}%\" dx=\"{dx}\" dy=\"{dy}\" text-anchor=\"{anchor}\">{}\
             </text>",
            coordinate(x),
            coordinate(y),
            html(text)
        );
    }

    /// Ticks below the chart: (position in percent, text). Those that would overlap the one before
    /// are left out.
    pub fn x_ticks(&mut self, ticks: &[(f64, String)]) {
        for (x, text) in ticks {
            let anchor = match *x {
                left if left < 2.0 => "start",
                right if right > 98.0 => "end",
                _ => "middle",
            };
            self.text("", [*x, 100.0], [0, 16], anchor, text);
        }
    }

    /// Ticks left of the chart with their grid lines: (position in percent from the top, text).
    pub fn y_ticks(&mut self, ticks: &[(f64, String)]) {
        for (y, text) in ticks {
            self.horizontal("g", *y);
            self.text("", [0.0, *y], [-8, 4], "end", text);
        }
    }

    /// The whole chart.
    #[must_use]
    pub fn finish(self) -> Svg {
        let Self {
            marks,
            height,
            width,
            label,
        } = self;
        Svg(format!(
            "<svg width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"{}\">\
             {marks}</svg>",
            html(&label)
        ))
    }
}

/// A line through points of a box: `M0 100L1 99`. Points between two of the same height are left
/// out.
#[must_use]
pub fn line(points: impl IntoIterator<Item = [f64; 2]>) -> String {
    let mut kept: Vec<[String; 2]> = Vec::new();
    for point in points {
        let point = point.map(coordinate);
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
    for [x, y] in kept {
        let mark = if path.is_empty() { 'M' } else { 'L' };
        let _ = write!(path, "{mark}{x} {y}");
    }
    path
}

/// The upper edge of bars of width 1: heights from 0 to `full` in a box of height 100.
#[must_use]
pub fn steps(heights: &[f64], full: f64, is_closed: bool) -> String {
    let mut path = "M0 100".to_owned();
    for (index, height) in heights.iter().enumerate() {
        let _ = write!(path, "V{}H{}", coordinate(level(*height, full)), index + 1);
    }
    path.push_str("V100");
    if is_closed {
        path.push('Z');
    }
    path
}

/// The parts of bars that lie above other bars.
#[must_use]
pub fn excess(heights: &[f64], others: &[f64], full: f64) -> String {
    let mut path = String::new();
    for (index, (height, other)) in heights.iter().zip(others).enumerate() {
        if height > other {
            let (top, bottom) = (level(*height, full), level(*other, full));
            let (top, bottom) = (coordinate(top), coordinate(bottom));
            let _ = write!(path, "M{index} {top}V{bottom}H{}V{top}Z", index + 1);
        }
    }
    path
}

/// Where a height lies from the top of a box of height 100, with a little room above.
#[must_use]
pub fn level(height: f64, full: f64) -> f64 {
    if full > 0.0 {
        100.0 - 96.2 * (height / full)
    } else {
        100.0
    }
}

/// A shape of a legend.
#[must_use]
pub fn key(shape: &str) -> Svg {
    let inner = match shape {
        "q" => "<rect class=\"q\" width=\"18\" height=\"11\"/>",
        "x" => "<rect class=\"x\" width=\"18\" height=\"11\"/>",
        "hx" => "<rect class=\"hx\" width=\"18\" height=\"11\"/>",
        "p" => "<path class=\"p\" d=\"M.7 11V.7H17.3V11\"/>",
        "fb" => {
            "<rect class=\"fb\" width=\"18\" height=\"11\"/><path class=\"md\" d=\"M0 5.5H18\"/>"
        }
        "ln" => "<path class=\"ln\" d=\"M0 8L6 4L12 7L18 3\"/>",
        "ew" => "<path class=\"md2\" d=\"M0 7L9 5L18 4\"/>",
        "out" => "<rect class=\"out\" x=\"5\" y=\"1.5\" width=\"8\" height=\"8\"/>",
        "tl" => "<line class=\"tl\" x1=\"9\" x2=\"9\" y1=\"0\" y2=\"11\"/>",
        "vl" => "<line class=\"vl\" x1=\"9\" x2=\"9\" y1=\"0\" y2=\"11\"/>",
        "none" => "<circle class=\"none\" cx=\"9\" cy=\"6\" r=\"3\"/>",
        "fail" => "<rect class=\"bx\" x=\"5\" width=\"7\" height=\"11\"/>",
        "warn" => "<rect class=\"wx\" x=\"5.5\" y=\"3\" width=\"7\" height=\"7.5\"/>",
        _ => "<rect class=\"q\" x=\"5\" y=\"7\" width=\"7\" height=\"4\"/>",
    };
    Svg(format!(
        "<svg viewBox=\"0 0 18 11\" aria-hidden=\"true\">{inner}</svg>"
    ))
}

/// Round numbers that divide a range into about so many steps.
#[must_use]
pub fn round_ticks(low: f64, high: f64, count: usize) -> Vec<f64> {
    let range = high - low;
    if !range.is_finite() || range <= 0.0 || count == 0 {
        return Vec::new();
    }
    let rough = range / count as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= rough)
        .unwrap_or(10.0 * power);
    let first = (low / step).ceil();
    let last = (high / step).floor();
    if !step.is_normal() || last - first > 50.0 {
        return Vec::new();
    }
    let mut ticks = Vec::new();
    let mut index = first;
    while index <= last {
        // Adding the same step again and again would add its rounding, too.
        let tick = index * step;
        ticks.push(if tick == 0.0 { 0.0 } else { tick });
        index += 1.0;
    }
    ticks
}

/// A round number as a tick: `0.2`, `1,000`, `2e9`.
#[must_use]
pub fn tick_text(value: f64) -> String {
    let size = value.abs();
    if size >= 1e6 {
        let text = format!("{value:e}");
        return if text.len() > 7 {
            format!("{value:.1e}")
        } else {
            text
        };
    }
    let rounded = format!("{value:.6}");
    let rounded = rounded.trim_end_matches('0').trim_end_matches('.');
    if size >= 1000.0 {
        return on_page(&number::significant(value, 3));
    }
    if rounded == "0" && size > 0.0 {
        return format!("{value:e}");
    }
    on_page(rounded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_have_one_form() {
        let all = [0.04, -0.04, 12.34, 100.0, f64::NAN, f64::INFINITY, 1e12].map(coordinate);
        assert_eq!(all, ["0", "0", "12.3", "100", "0", "0", "1000000"]);
    }

    #[test]
    fn ticks_are_round_and_few() {
        let shown = |low, high| {
            let ticks = round_ticks(low, high, 5);
            ticks
                .into_iter()
                .map(tick_text)
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(shown(0.0, 1.0), "0 0.2 0.4 0.6 0.8 1");
        assert_eq!(shown(11.0, 148.0), "50 100");
        assert_eq!(shown(-3.0, 3.0), "\u{2212}2 0 2");
        assert_eq!(shown(0.0, 12_410.0), "0 5,000 10,000");
        assert_eq!(shown(1.0, 1.0), "");
        for (low, high) in [
            (f64::MIN, f64::MAX),
            (0.0, 5e-324),
            (1e300, 2e300),
            (0.0, 1e-9),
        ] {
            assert!(round_ticks(low, high, 5).len() <= 51);
        }
    }

    #[test]
    fn texts_in_charts_are_escaped() {
        let mut chart = Chart::new(10, "<script>\"");
        chart.text("", [0.0, 0.0], [0, 0], "start", "</svg><script>");
        chart.dot("dot", [1.0, 1.0], 3.0, "a<b");
        let Svg(text) = chart.finish();
        assert!(
            !text.contains("<script>") && text.contains("&lt;script&gt;&quot;"),
            "{text}"
        );
    }
}
