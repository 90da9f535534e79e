//! Asking the person at the terminal.

use std::io::{BufRead, IsTerminal, Write};

use crate::report::Failure;

/// Whether there is a person to ask.
pub fn somebody_is_there() -> bool {
    std::io::stdin().is_terminal()
}

/// Shows what is about to happen, and says whether it may.
pub fn agreed(plan: &str) -> Result<bool, Failure> {
    let cannot = |error: std::io::Error| Failure::world("cannot ask").because(&error);
    let mut err = std::io::stderr();
    write!(err, "{plan} [y/N] ").and_then(|()| err.flush()).map_err(cannot)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(cannot)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
