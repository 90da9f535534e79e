//! A page as Prometheus reads it: the text format, version 0.0.4.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use toehold_core::wire::proxy::Histogram;

use super::family::{FAMILIES, Family, Kind};

/// Numbers, each under a metric that the table has.
#[derive(Debug, Default)]
pub struct Text {
    /// By the place of the metric in the table, so that a page is in its order.
    lines: BTreeMap<usize, String>,
}

impl Text {
    /// The media type.
    pub const TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

    /// Says a number. `labels` are the values, in the order of the table. What is no number is not
    /// said.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub fn count(&mut self, name: &str, labels: &[&str], value: u64) {
        self.say(name, labels, value as f64);
    }

    /// Says a number that may have a fraction.
    pub fn say(&mut self, name: &str, labels: &[&str], value: f64) {
        let Some((place, family)) = found(name) else { return };
        if value.is_finite() {
            let labels = braced(family, labels, None);
            let lines = self.lines.entry(place).or_default();
            let _ = writeln!(lines, "{name}{labels} {value}");
        }
    }

    /// Says yes or no, as 1 or 0.
    pub fn whether(&mut self, name: &str, labels: &[&str], value: bool) {
        self.say(name, labels, f64::from(u8::from(value)));
    }

    /// Says a histogram: a bucket for each doubling, where four are counted.
    pub fn histogram(&mut self, name: &str, labels: &[&str], counted: &Histogram) {
        let Some((place, family)) = found(name) else { return };
        let lines = self.lines.entry(place).or_default();
        let mut sum = 0;
        for (bucket, count) in counted.0.iter().enumerate() {
            sum += count;
            let Some(bound) = Histogram::bound_us(bucket).filter(|_| bucket % 4 == 0) else {
                continue;
            };
            #[expect(clippy::cast_precision_loss, reason = "a bound is below 2^52")]
            let bound = (bound as f64 / 1e6).to_string();
            let labels = braced(family, labels, Some(&bound));
            let _ = writeln!(lines, "{name}_bucket{labels} {sum}");
        }
        let all = braced(family, labels, Some("+Inf"));
        let labels = braced(family, labels, None);
        let _ = writeln!(lines, "{name}_bucket{all} {sum}\n{name}_count{labels} {sum}");
    }

    /// The page.
    #[must_use]
    pub fn page(&self) -> String {
        let mut page = String::new();
        for (place, lines) in &self.lines {
            let Family { name, kind, help, .. } = &FAMILIES[*place];
            let kind = kind.as_str();
            let _ = write!(page, "# HELP {name} {help}\n# TYPE {name} {kind}\n{lines}");
        }
        page
    }
}

/// What is not in the table is a mistake of ours, which the tests find; it is never said.
fn found(name: &str) -> Option<(usize, &'static Family)> {
    let found = FAMILIES.iter().enumerate().find(|(_, family)| family.name == name);
    debug_assert!(found.is_some(), "{name} is in no table");
    found
}

fn braced(family: &Family, values: &[&str], bound: Option<&str>) -> String {
    debug_assert_eq!(family.labels.len(), values.len(), "{}", family.name);
    debug_assert!(bound.is_none() || family.kind == Kind::Histogram, "{}", family.name);
    let pairs = family.labels.iter().copied().zip(values.iter().copied());
    let pairs = pairs.chain(bound.map(|bound| ("le", bound)));
    let pairs: Vec<String> =
        pairs.map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_in_the_order_of_the_table_each_metric_once() {
        let mut text = Text::default();
        text.count("toehold_door_answers_total", &["2xx"], 3);
        text.say("toehold_control_traffic_ratio", &["shop", "canary"], 1.0 / 3.0);
        text.whether("toehold_control_pinned", &["a\"b"], true);
        text.count("toehold_door_answers_total", &["4xx"], 1);
        text.say("toehold_control_traffic_ratio", &["shop", "stable"], f64::NAN);
        assert_eq!(
            text.page(),
            "# HELP toehold_control_traffic_ratio The share of visitors a track gets, 0 to 1\n\
             # TYPE toehold_control_traffic_ratio gauge\n\
             toehold_control_traffic_ratio{app=\"shop\",track=\"canary\"} 0.3333333333333333\n\
             # HELP toehold_control_pinned 1 while a rollback holds automatic deploys\n\
             # TYPE toehold_control_pinned gauge\n\
             toehold_control_pinned{app=\"a\\\"b\"} 1\n\
             # HELP toehold_door_answers_total Answers of API and dashboard, by class of status\n\
             # TYPE toehold_door_answers_total counter\n\
             toehold_door_answers_total{code=\"2xx\"} 3\n\
             toehold_door_answers_total{code=\"4xx\"} 1\n"
        );
    }

    #[test]
    fn a_histogram_counts_up_and_ends_with_all() {
        let mut latency = Histogram::default();
        for us in [10, 100, 3_000, 90_000_000] {
            latency.count(us);
        }
        let mut text = Text::default();
        let labels = ["shop", "stable", "web.1"];
        text.histogram("toehold_proxy_request_duration_seconds", &labels, &latency);
        let page = text.page();
        let line = |end: &str| {
            let labels = "app=\"shop\",track=\"stable\",instance=\"web.1\"";
            page.contains(
                &format!("toehold_proxy_request_duration_seconds_{end}")
                    .replace('{', &format!("{{{labels}")),
            )
        };
        assert!(line("bucket{,le=\"0.000064\"} 1"), "{page}");
        assert!(line("bucket{,le=\"0.000128\"} 2"), "{page}");
        assert!(line("bucket{,le=\"0.004096\"} 3"), "{page}");
        assert!(line("bucket{,le=\"+Inf\"} 4"), "{page}");
        assert!(line("count{} 4"), "{page}");
        assert!(page.lines().count() < 30, "few enough to be kept for each instance: {page}");
    }
}
