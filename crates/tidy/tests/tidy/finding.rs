//! What a rule has to say: where, what, and what to do.

use std::fmt;

/// One breach of a rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The file, relative to the root of the repository.
    pub(crate) file: String,
    /// The line, counted from 1; 0 where it is the file as a whole.
    pub(crate) line: usize,
    /// What is wrong, and what to do.
    pub(crate) what: String,
}

impl Finding {
    /// A breach at a line.
    pub(crate) fn at(file: &str, line: usize, what: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, what: what.into() }
    }

    /// A breach by a file as a whole.
    pub(crate) fn of(file: &str, what: impl Into<String>) -> Self {
        Self::at(file, 0, what)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.what),
            line => write!(f, "{}:{line}: {}", self.file, self.what),
        }
    }
}

/// Fails with every finding at once, so that one run is enough to mend them all.
#[track_caller]
pub(crate) fn assert_none(findings: &[Finding]) {
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "{} to mend:\n{}", findings.len(), lines.join("\n"));
}

/// Fails unless there is exactly one finding, in this line, that says this.
#[track_caller]
pub(crate) fn assert_one(findings: &[Finding], line: usize, says: &str) {
    let [finding] = findings else { panic!("one finding was expected, not {findings:#?}") };
    assert_eq!(finding.line, line, "{finding}");
    assert!(finding.what.contains(says), "{finding}");
}
