//! What every page has around it.

use maud::{DOCTYPE, Markup, html};
use toehold_core::model::AppName;

use super::icon;
use super::{Assets, Viewer};

/// What stands around a page.
pub(crate) struct Shell<'a> {
    /// The page's own title.
    pub(crate) title: &'a str,
    /// Style, script and mark.
    pub(crate) assets: &'a Assets,
    /// Who looks; `None` before anyone is known.
    pub(crate) viewer: Option<&'a Viewer>,
    /// The apps to go to.
    pub(crate) apps: &'a [AppName],
    /// The one that is shown.
    pub(crate) here: Option<&'a AppName>,
    /// Where the page's changes are streamed from.
    pub(crate) live: Option<String>,
}

impl Shell<'_> {
    /// The whole page.
    pub(crate) fn page(&self, body: &Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    title { (self.title) " · toehold" }
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    link rel="icon" type="image/svg+xml" href=(self.assets.mark);
                    link rel="stylesheet" href=(self.assets.style);
                    script src=(self.assets.script) defer {}
                }
                body data-live=[self.live.as_deref()] {
                    a.skip href="#main" { "Skip to the page" }
                    (icon::sheet())
                    (self.bar())
                    main id="main" { (body) }
                }
            }
        }
    }

    fn bar(&self) -> Markup {
        html! {
            header.bar {
                a.brand href="/" { (icon::icon("toehold")) "toehold" }
                @if self.apps.len() > 1 {
                    nav aria-label="Apps" {
                        @for app in self.apps {
                            a href=(format!("/apps/{app}")) aria-current=[(self.here == Some(app)).then_some("page")] { (app) }
                        }
                    }
                }
                span.room {}
                @if self.live.is_some() {
                    span #link.link role="status" { "not live" }
                }
                @if let Some(viewer) = self.viewer {
                    span.who title="who you are here" { (viewer.actor) }
                    @if viewer.may_log_out {
                        form method="post" action="/logout" { button.quiet { "Log out" } }
                    }
                }
            }
        }
    }
}
