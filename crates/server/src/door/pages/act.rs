//! What a link of a message leads to: one question, one button.

use maud::{Markup, html};
use toehold_core::model::AppName;
use toehold_core::time::Timestamp;

use super::shell::Shell;
use super::{Assets, words};
use crate::control::ActError;
use crate::secret::Ticket;

/// Asks once more.
pub(crate) fn ask(ticket: &Ticket, link: &str, now: Timestamp, assets: &Assets) -> Markup {
    let left = ticket.expires_at.since(now);
    let body = html! {
        section.login {
            p.muted { (ticket.app) }
            h1 { (ticket.offer.label()) "?" }
            p { (ticket.offer.says()) }
            form method="post" action=(format!("/act/{link}")) {
                button.go { span.label { (ticket.offer.label()) } }
            }
            p.muted { "Nothing has been changed yet. This link works once, and for " (words::short(left)) " more." }
            (to_app(&ticket.app))
        }
    };
    whole(&ticket.offer.label(), &body, assets)
}

/// It was done.
pub(crate) fn done(ticket: &Ticket, text: &str, assets: &Assets) -> Markup {
    let body = html! {
        section.login {
            p.muted { (ticket.app) }
            h1 { "Done" }
            p role="status" { (text) }
            p.muted { "This link is used up." }
            (to_app(&ticket.app))
        }
    };
    whole("done", &body, assets)
}

/// It does nothing, and why.
pub(crate) fn refused(error: &ActError, now: Timestamp, assets: &Assets) -> Markup {
    let (title, ticket) = match error {
        ActError::NotOurs(_) | ActError::Control(_) => ("This link leads nowhere", None),
        ActError::Ended { ticket } => ("This link has ended", Some(ticket)),
        ActError::Used { ticket, .. } => ("This was done already", Some(ticket)),
        ActError::Changed { ticket, .. } => ("Things have changed since", Some(ticket)),
    };
    let body = html! {
        section.login {
            @if let Some(ticket) = ticket { p.muted { (ticket.app) } }
            h1 { (title) }
            @match error {
                ActError::NotOurs(_) | ActError::Control(_) => p { "It was not made here, or a part of it is missing: open it from the message as it is." },
                ActError::Ended { ticket } => p { "It was good until " (words::ago(ticket.expires_at, now)) ". Nothing was changed." },
                ActError::Used { at, by, .. } => p { "It was used " (words::ago(*at, now)) " by " (by) ". Nothing was changed now." },
                ActError::Changed { why, .. } => p { "Nothing was changed: " (why) },
            }
            @if let Some(ticket) = ticket {
                p.muted { "It was to: " (ticket.offer.label()) "." }
                (to_app(&ticket.app))
            }
        }
    };
    whole("not done", &body, assets)
}

fn to_app(app: &AppName) -> Markup {
    html! { p { a href=(format!("/apps/{app}")) { "The dashboard of " (app) } } }
}

fn whole(title: &str, body: &Markup, assets: &Assets) -> Markup {
    Shell { title, assets, viewer: None, apps: &[], here: None, live: None }.page(body)
}
