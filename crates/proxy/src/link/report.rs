//! When a report is due.

use std::time::Duration;

use toehold_core::time::Timestamp;
use toehold_core::wire::proxy::{FromProxy, ProxyReport};
use tokio::time::Instant;

use crate::link::Desk;

/// How often what has changed is reported.
const EACH: Duration = Duration::from_millis(500);

/// How often it is reported though nothing has changed, so that silence means that the proxy is
/// away.
const AT_LEAST_EACH: Duration = Duration::from_secs(2);

/// Knows what was reported last, on one link.
pub(super) struct Reporter {
    last: ProxyReport,
    reported: Option<Instant>,
    due: Instant,
}

impl Reporter {
    /// The first report is due at once.
    pub(super) fn new() -> Self {
        Self { last: ProxyReport::default(), reported: None, due: Instant::now() }
    }

    /// When to look whether there is something to report.
    pub(super) const fn due(&self) -> Instant {
        self.due
    }

    /// The report, if something has changed or it is time for one.
    pub(super) fn report_due(&mut self, desk: &Desk) -> Option<FromProxy> {
        let report = desk.report();
        self.due = Instant::now() + EACH;
        let last = ProxyReport { at: report.at, ..std::mem::take(&mut self.last) };
        let is_time = self.reported.is_none_or(|reported| reported.elapsed() >= AT_LEAST_EACH);
        if last == report && !is_time {
            self.last = last;
            return None;
        }
        Some(self.say(report))
    }

    /// The report, at once.
    pub(super) fn report_now(&mut self, desk: &Desk) -> FromProxy {
        self.due = Instant::now() + EACH;
        self.say(desk.report())
    }

    fn say(&mut self, report: ProxyReport) -> FromProxy {
        self.reported = Some(Instant::now());
        self.last = ProxyReport { at: Timestamp::default(), ..report.clone() };
        FromProxy::Report(report)
    }
}
