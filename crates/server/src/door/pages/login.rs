//! The way in.

use maud::{Markup, html};

use super::Assets;
use super::shell::Shell;

/// Asks for a token, or for one click where a link brought a code: mail and chat programs open
/// links to look at them, and must not use it up.
pub(crate) fn page(code: Option<&str>, next: &str, wrong: Option<&str>, assets: &Assets) -> Markup {
    let body = html! {
        section.login {
            h1 { "Log in" }
            @if let Some(wrong) = wrong { p."situation bad" role="alert" { (wrong) } }
            form method="post" action="/login" {
                input type="hidden" name="next" value=(next);
                @match code {
                    Some(code) => {
                        p { "This link lets you in once." }
                        input type="hidden" name="code" value=(code);
                        button.go autofocus { span.label { "Open the dashboard" } }
                    }
                    None => {
                        label for="token" { "Token" }
                        input #token type="password" name="token" autocomplete="current-password" required autofocus placeholder="th_…";
                        button.go { span.label { "Log in" } }
                    }
                }
            }
            @if code.is_none() {
                p.muted { "On the machine itself, " code { "toehold open" } " gives a link that needs no token." }
            }
        }
    };
    Shell { title: "log in", assets, viewer: None, apps: &[], here: None, live: None }.page(&body)
}
