//! Small pictures of the last ten minutes, as SVG in the page: no script draws them.

use std::fmt::Write;

use maud::{Markup, html};
use toehold_core::time::Timestamp;

/// How many seconds one point of a line stands for.
pub(crate) const BUCKET_SECONDS: u64 = 5;

/// How many points a line has: ten minutes.
pub(crate) const BUCKETS: usize = 120;

/// The height of a picture in its own units; the page stretches it.
const HEIGHT: f64 = 40.0;

/// A line: a value a bucket, oldest first; `None` where there is none, which leaves a gap.
pub(crate) struct Line {
    /// The values.
    pub(crate) values: Vec<Option<f64>>,
    /// How it looks: `stable`, `canary`, `earlier`.
    pub(crate) look: &'static str,
    /// Whether the room below it is filled.
    pub(crate) filled: bool,
}

/// Something that happened, as an upright line.
pub(crate) struct Mark {
    /// When.
    pub(crate) at: Timestamp,
    /// In words.
    pub(crate) text: String,
    /// `good`, `bad` or `plain`.
    pub(crate) tone: &'static str,
}

/// One picture.
pub(crate) struct Chart<'a> {
    /// What it shows: `requests / s`.
    pub(crate) name: &'a str,
    /// The lines, the most important last.
    pub(crate) lines: Vec<Line>,
    /// The value at the top; the same for pictures that are to be compared.
    pub(crate) top: f64,
    /// How a value is said.
    pub(crate) say: fn(f64) -> String,
    /// What happened meanwhile.
    pub(crate) marks: &'a [Mark],
    /// The time at the right end.
    pub(crate) now: Timestamp,
}

impl Chart<'_> {
    /// The picture, with its name and its top value beside it.
    pub(crate) fn draw(&self) -> Markup {
        let last = self.lines.last().and_then(|line| line.values.last().copied().flatten());
        let now = last.map_or_else(|| "none".to_owned(), self.say);
        let label =
            format!("{}, last ten minutes; now {now}, top {}", self.name, (self.say)(self.top));
        let width = BUCKETS - 1;
        html! {
            figure.chart {
                figcaption { span { (self.name) } span.top { ((self.say)(self.top)) } }
                svg viewBox=(format!("0 0 {width} {HEIGHT}")) preserveAspectRatio="none" role="img" aria-label=(label) {
                    path.grid d=(format!("M0 {HEIGHT}h{width}M0 {}h{width}M0 0h{width}", HEIGHT / 2.0)) {}
                    @for mark in self.marks {
                        @if let Some(x) = self.place(mark.at) {
                            path class=(format!("mark {}", mark.tone)) d=(format!("M{x:.1} 0V{HEIGHT}")) {
                                title { (mark.text) }
                            }
                        }
                    }
                    @for line in &self.lines {
                        @if line.filled { path class=(format!("area {}", line.look)) d=(self.area(line)) {} }
                        path class=(format!("line {}", line.look)) d=(self.path(line)) {}
                    }
                }
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "ten minutes are far below 2^52 ms")]
    fn place(&self, at: Timestamp) -> Option<f64> {
        let ago = self.now.since(at).as_millis() as f64 / 1_000.0;
        let x = (BUCKETS - 1) as f64 - ago / BUCKET_SECONDS as f64;
        (x > 0.0).then_some(x)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - (value / self.top).clamp(0.0, 1.0) * HEIGHT
    }

    fn path(&self, line: &Line) -> String {
        let mut path = String::new();
        let mut pen_down = false;
        for (x, value) in line.values.iter().enumerate() {
            match value {
                Some(value) => {
                    let stroke = if pen_down { 'L' } else { 'M' };
                    let alone = !pen_down && line.values.get(x + 1).copied().flatten().is_none();
                    let _ = write!(path, "{stroke}{x} {:.2}", self.y(*value));
                    if alone {
                        path.push_str("h1");
                    }
                    pen_down = true;
                }
                None => pen_down = false,
            }
        }
        path
    }

    fn area(&self, line: &Line) -> String {
        let mut path = String::new();
        let mut last = None;
        for (x, value) in line.values.iter().enumerate() {
            match (value, last) {
                (Some(value), None) => {
                    let _ = write!(path, "M{x} {HEIGHT}V{:.2}", self.y(*value));
                    last = Some(x);
                }
                (Some(value), Some(_)) => {
                    let _ = write!(path, "L{x} {:.2}", self.y(*value));
                    last = Some(x);
                }
                (None, Some(x)) => {
                    let _ = write!(path, "L{x} {HEIGHT}Z");
                    last = None;
                }
                (None, None) => {}
            }
        }
        if let Some(x) = last {
            let _ = write!(path, "L{x} {HEIGHT}Z");
        }
        path
    }
}

/// The next of 1, 2, 5, 10 … at or above `value`, and never below `least`.
pub(crate) fn top(value: f64, least: f64) -> f64 {
    let value = value.max(least);
    let ten = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|step| step * ten)
        .find(|top| *top >= value * 0.999)
        .unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_is_a_round_number() {
        for (value, expected) in
            [(0.0, 1.0), (1.2, 2.0), (37.0, 50.0), (50.0, 50.0), (501.0, 1_000.0)]
        {
            assert!((top(value, 1.0) - expected).abs() < 1e-9, "{value}");
        }
    }

    #[test]
    fn a_gap_in_the_values_is_a_gap_in_the_line() {
        let line = Line {
            values: vec![Some(1.0), Some(2.0), None, Some(0.0)],
            look: "stable",
            filled: true,
        };
        let chart = Chart {
            name: "x",
            lines: Vec::new(),
            top: 2.0,
            say: |value| value.to_string(),
            marks: &[],
            now: Timestamp::default(),
        };
        assert_eq!(chart.path(&line), "M0 20.00L1 0.00M3 40.00h1");
        assert_eq!(chart.area(&line), "M0 40V20.00L1 0.00L1 40ZM3 40V40.00L3 40Z");
    }
}
