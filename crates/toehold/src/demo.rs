//! `toehold demo`: the whole story in about a minute, on real parts: a real git repository, a real
//! Node app with its real tests, three real processes, real visitors. It fails loudly where
//! anything of it did not truly happen. With machines elsewhere it is another story: they are hosts
//! made here, of a cloud made here.

mod acts;
mod app;
mod drill;
mod elsewhere;
mod parts;
mod postbox;
mod senses;
mod share;
mod stage;
mod visitors;

use std::time::Instant;

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::{Demo, Elsewhere};
use crate::context::Context;
use crate::report::{Failure, Outcome};
use crate::show::{self, paint, time::took};
use elsewhere::World;
use postbox::Postbox;
use stage::Stage;

/// How many requests a second the visitors make.
const VISITORS_PER_SECOND: u32 = 100;

/// Plays the story.
pub fn run(context: &Context, demo: &Demo) -> Outcome {
    let teller = Teller { json: context.json(), began: Instant::now() };
    context.block_on(async {
        // From here on ^C stops the story in order, whatever of it is there.
        let mut interrupted = signal(SignalKind::interrupt())
            .map_err(|error| Failure::world("cannot wait for ^C").because(&error))?;
        let root = stage::ground()?;
        let postbox = Postbox::default();
        let world = demo.machines.map(|Elsewhere::Ssh| World::make(&teller, &root, &postbox));
        let mut world = world.transpose().inspect_err(|_| stage::leave(&root))?;
        let settings = match &world {
            Some(world) => world.settings().to_owned(),
            None => postbox.open().await.inspect_err(|_| stage::leave(&root))?,
        };
        let mut stage = Stage::build(&teller, root, postbox, &settings).await?;
        let told = async {
            match &mut world {
                Some(world) => elsewhere::play(&teller, &mut stage, world).await,
                None if demo.drill => drill::play(&teller, &mut stage).await,
                None => tell(&teller, &mut stage).await,
            }
        };
        let told = tokio::select! {
            told = told => told,
            _ = interrupted.recv() => Err(Failure::no("the story was stopped")),
        };
        match told {
            Ok(()) if demo.keep => stage.keep(&teller).await,
            Ok(()) => stage.clear_away(true).await,
            Err(failure) => {
                let logs = stage.logs();
                // What went wrong is worth more than an empty folder.
                stage.clear_away(false).await?;
                Err(failure.hint(format!("what the processes said: {logs}")))
            }
        }
    })
}

async fn tell(teller: &Teller, stage: &mut Stage) -> Outcome {
    acts::first_release(teller, stage).await?;
    stage.open_doors(VISITORS_PER_SECOND);
    acts::broken_push(teller, stage).await?;
    acts::bad_canary(teller, stage).await?;
    acts::good_canary(teller, stage).await?;
    acts::load(teller, stage).await?;
    acts::flag(teller, stage).await?;
    let count = stage.close_doors().await?;
    teller.end(&count)
}

/// Tells what happens, a line each.
pub struct Teller {
    json: bool,
    began: Instant,
}

impl Teller {
    /// Something begins.
    pub fn act(&self, title: &str) -> Outcome {
        if self.json {
            return show::json(&json!({ "act": title, "at_ms": self.at_ms() }));
        }
        show::line("")?;
        show::line(&paint::strong(title))
    }

    /// Something happened that was to happen.
    pub fn happened(&self, what: &str) -> Outcome {
        if self.json {
            return show::json(&json!({ "happened": what, "at_ms": self.at_ms() }));
        }
        show::line(&show::build::row(&paint::good("✓"), "", what, &took(self.began.elapsed())))
    }

    /// A line to look at.
    pub fn shows(&self, line: &str) -> Outcome {
        if self.json { Ok(()) } else { show::line(&format!("  {line}")) }
    }

    /// Something that takes a while.
    pub fn waits(&self, what: &str) -> Outcome {
        if self.json { Ok(()) } else { show::line(&paint::faint(&format!("  … {what}"))) }
    }

    /// A figure.
    pub fn figure(&self, name: &str, value: &serde_json::Value, text: &str) -> Outcome {
        if self.json {
            show::json(&json!({ "figure": name, "value": value }))
        } else {
            self.shows(text)
        }
    }

    fn at_ms(&self) -> u128 {
        self.began.elapsed().as_millis()
    }

    fn end(&self, count: &visitors::Count) -> Outcome {
        let took = took(self.began.elapsed());
        if self.json {
            show::json(&json!({
                "end": true, "requests": count.sent, "lost": count.lost, "at_ms": self.at_ms(),
            }))?;
        } else {
            show::line("")?;
            show::line(&paint::strong(&format!(
                "{} requests sent, {} lost, in {took}",
                count.sent, count.lost
            )))?;
        }
        if count.lost > 0 {
            let first = count.first_loss.clone().unwrap_or_default();
            return Err(Failure::no(format!(
                "{} requests were lost, the first: {first}",
                count.lost
            )));
        }
        Ok(())
    }
}
