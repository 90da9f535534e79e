//! The pages people see: pure functions from what is known to HTML. Whatever comes from outside is
//! escaped by the macro that writes it; no page has a script, a style or an address of elsewhere
//! in it.

pub(crate) mod act;
pub(crate) mod app;
pub(crate) mod apps;
pub(crate) mod build;
pub(crate) mod chart;
mod icon;
pub(crate) mod log;
pub(crate) mod login;
pub(crate) mod refused;
mod shell;
#[cfg(test)]
mod tests;
pub(crate) mod why;
pub(crate) mod words;

/// Who looks, and what they may do: a page offers nothing that would be refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Viewer {
    /// Who: a token's name, `owner`.
    pub(crate) actor: String,
    /// Whether they may deploy, promote, abort, roll back and scale.
    pub(crate) may_deploy: bool,
    /// Whether they may turn flags.
    pub(crate) may_flag: bool,
    /// Whether there is a session that can end.
    pub(crate) may_log_out: bool,
}

/// Where the style sheet, the script and the mark are, each with its digest: a new one is fetched
/// and an old one is never asked for again.
#[derive(Clone, Debug)]
pub(crate) struct Assets {
    /// `/assets/toehold.css?v=…`.
    pub(crate) style: String,
    /// `/assets/toehold.js?v=…`.
    pub(crate) script: String,
    /// `/assets/mark.svg?v=…`.
    pub(crate) mark: String,
}
