//! Checkstyle XML, as `JSHint`, `ESLint` and many others write it.

use toehold_core::model::{Issue, Report, Severity};
use toehold_core::pipeline::inside;

use super::xml::{Element, Piece, walk};
use super::{Unreadable, put, shown};

pub(super) fn read(text: &str, checkout: &str) -> Result<Report, Unreadable> {
    let mut issues = Vec::new();
    let mut file = String::new();
    walk(text, "checkstyle XML", &["checkstyle"], |piece| {
        let Piece::Open(element) = piece else { return Ok(()) };
        match element.name() {
            "file" => {
                let name = element.get("name").unwrap_or_default();
                file = shown(&inside(&name, checkout).unwrap_or(name), 1_000);
                Ok(())
            }
            "error" => put(&mut issues, issue(&element, &file)),
            _ => Ok(()),
        }
    })?;
    Ok(Report { cases: Vec::new(), issues })
}

fn issue(element: &Element<'_>, file: &str) -> Issue {
    let number = |name: &str| element.get(name).and_then(|text| text.parse().ok()).unwrap_or(0);
    let severity = match element.get("severity").as_deref() {
        Some("error") => Severity::Error,
        Some("info" | "ignore") => Severity::Info,
        Some(_) | None => Severity::Warning,
    };
    Issue {
        file: file.to_owned(),
        line: number("line"),
        column: number("column"),
        severity,
        rule: shown(&element.get("source").unwrap_or_default(), 200),
        message: shown(&element.get("message").unwrap_or_default(), 1_000),
    }
}
