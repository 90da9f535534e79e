//! Colour, where there is somebody to see it.

use std::io::IsTerminal;
use std::sync::OnceLock;

/// Whether the answer goes to a terminal that wants colour.
fn wanted() -> bool {
    static WANTED: OnceLock<bool> = OnceLock::new();
    *WANTED.get_or_init(|| {
        let said_no = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        std::io::stdout().is_terminal() && !said_no && !dumb
    })
}

fn paint(code: &str, text: &str) -> String {
    if wanted() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// It is well.
pub fn good(text: &str) -> String {
    paint("32", text)
}

/// It is not.
pub fn bad(text: &str) -> String {
    paint("31", text)
}

/// It is under way, or to be looked at.
pub fn busy(text: &str) -> String {
    paint("33", text)
}

/// It matters less.
pub fn faint(text: &str) -> String {
    paint("2", text)
}

/// It matters more.
pub fn strong(text: &str) -> String {
    paint("1", text)
}
