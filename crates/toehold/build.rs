//! Tells the linker which functions lie side by side in the program: see `order.ld`. What it does
//! not find there under its name lies where it would lie anyway.

use std::env::var;
use std::io::{self, Write};

fn main() -> io::Result<()> {
    let mut cargo = io::stdout().lock();
    writeln!(cargo, "cargo::rerun-if-changed=build.rs")?;
    writeln!(cargo, "cargo::rerun-if-changed=order.ld")?;
    let is = |name: &str, value: &str| var(name).is_ok_and(|it| it == value);
    let is_measured = is("CARGO_CFG_TARGET_OS", "linux")
        && is("CARGO_CFG_TARGET_ENV", "gnu")
        && is("CARGO_CFG_TARGET_ARCH", "x86_64");
    if is("PROFILE", "release")
        && is_measured
        && let Ok(here) = var("CARGO_MANIFEST_DIR")
    {
        writeln!(cargo, "cargo::rustc-link-arg-bin=toehold=-T{here}/order.ld")?;
    }
    Ok(())
}
