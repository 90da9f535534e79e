//! A connection to Redis, of whichever kind.

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster_async::ClusterConnection;
use redis::{AsyncConnectionConfig, RedisError, Value, cmd, pipe};

use super::settings::{PATIENCE, Way, in_words};
use super::step::{Held, beside};

/// How long a write waits for a replica to have it.
const REPLICA_MS: u32 = 200;

/// How many keys are read at once.
const AT_ONCE: usize = 500;

/// A connection.
pub(super) enum Link {
    /// To one server, also where sentinels said which.
    One(MultiplexedConnection),
    /// To a cluster.
    Cluster(Box<ClusterConnection>),
}

/// What a server says it is.
pub(super) struct Role {
    pub(super) is_primary: bool,
    pub(super) replicas: usize,
}

impl Link {
    pub(super) async fn open(way: &Way) -> Result<Self, String> {
        let open = async {
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(PATIENCE))
                .set_response_timeout(Some(PATIENCE));
            Ok::<Self, RedisError>(match way {
                Way::One(client) => {
                    let made = client.get_multiplexed_async_connection_with_config(&config);
                    Self::One(made.await?)
                }
                Way::Sentinel(build) => {
                    let mut client = build()?.build()?;
                    Self::One(client.get_async_connection_with_config(&config).await?)
                }
                Way::Cluster(client) => {
                    Self::Cluster(Box::new(client.get_async_connection().await?))
                }
            })
        };
        match tokio::time::timeout(PATIENCE * 2, open).await {
            Ok(made) => made.map_err(|error| in_words(&error)),
            Err(_) => Err("it took too long".to_owned()),
        }
    }

    /// What the server says it is. Of a cluster the client itself knows; a server whose user may
    /// not ask is taken for what it was reached as.
    pub(super) async fn role(&mut self) -> Result<Role, String> {
        let known = Role { is_primary: true, replicas: 0 };
        let Self::One(link) = self else { return Ok(known) };
        let answer: Result<Value, RedisError> = cmd("ROLE").query_async(link).await;
        match answer {
            Ok(Value::Array(parts)) => Ok(role(&parts).unwrap_or(known)),
            Ok(_) => Ok(known),
            Err(error) if error.code() == Some("NOPERM") => Ok(known),
            Err(error) => Err(in_words(&error)),
        }
    }

    /// What is there of each key.
    pub(super) async fn read(&mut self, keys: &[&str]) -> Result<Vec<Held>, String> {
        let mut held = Vec::with_capacity(keys.len());
        for some in keys.chunks(AT_ONCE) {
            let mut ask = cmd("MGET");
            for key in some {
                ask.arg(*key).arg(beside(key));
            }
            let values: Vec<Value> = match self {
                Self::One(link) => ask.query_async(link).await,
                Self::Cluster(link) => ask.query_async(link.as_mut()).await,
            }
            .map_err(|error| in_words(&error))?;
            if values.len() != some.len() * 2 {
                return Err("it answered something else than was asked".to_owned());
            }
            held.extend(values.chunks(2).map(|pair| Held {
                is: text(&pair[0]),
                was: text(&pair[1]),
                told: None,
            }));
        }
        Ok(held)
    }

    /// Writes keys and what is remembered of them, in one step; in a cluster in one step for each,
    /// since a step there is within one slot. Says whether all was written: what somebody has
    /// changed since it was read is not, so that it is read again and not lost.
    pub(super) async fn write(
        &mut self,
        writes: &[Put<'_>],
        replicas: usize,
    ) -> Result<bool, String> {
        match self {
            Self::One(link) => {
                let written = write_unchanged(link, writes).await?;
                if written && replicas > 0 {
                    let mut wait = cmd("WAIT");
                    wait.arg(1).arg(REPLICA_MS);
                    // Where none has it in time, the next look finds what a failover lost.
                    let _: Result<Value, RedisError> = wait.query_async(link).await;
                }
                Ok(written)
            }
            Self::Cluster(link) => {
                let mut written = true;
                for write in writes {
                    written &= write_unchanged(link.as_mut(), std::slice::from_ref(write)).await?;
                }
                Ok(written)
            }
        }
    }
}

/// A key to be written.
pub(super) struct Put<'a> {
    pub(super) key: &'a str,
    pub(super) value: &'a str,
    pub(super) is_flag: bool,
    /// What was there when it was read.
    pub(super) held: &'a Held,
}

/// Writes in one step what is still as it was read. The connection is ours alone, so that nobody
/// else's step ends the watch.
async fn write_unchanged(
    link: &mut impl ConnectionLike,
    writes: &[Put<'_>],
) -> Result<bool, String> {
    let words = |error: RedisError| in_words(&error);
    let (mut watch, mut ask) = (cmd("WATCH"), cmd("MGET"));
    for Put { key, .. } in writes {
        watch.arg(*key).arg(beside(key));
        ask.arg(*key).arg(beside(key));
    }
    match watch.query_async::<Value>(link).await {
        Ok(_) => {}
        // A user of its own that was made before this was asked for: written as it was then.
        Err(error) if error.code() == Some("NOPERM") => {}
        Err(error) => return Err(words(error)),
    }
    let values: Vec<Value> = ask.query_async(link).await.map_err(words)?;
    let is = |(pair, write): (&[Value], &Put<'_>)| {
        text(&pair[0]) == write.held.is && text(&pair[1]) == write.held.was
    };
    if values.len() != writes.len() * 2 || !values.chunks(2).zip(writes).all(is) {
        // The watch stays until the next step, which it may end in vain: then that is tried again.
        return Ok(false);
    }
    let mut step = pipe();
    step.atomic();
    for write in writes {
        put(&mut step, write);
    }
    // Nothing at all is the answer where a key was changed meanwhile.
    let done: Option<Vec<Value>> = step.query_async(link).await.map_err(words)?;
    Ok(done.is_some())
}

fn put(step: &mut redis::Pipeline, Put { key, value, is_flag, .. }: &Put<'_>) {
    step.cmd("SET").arg(*key).arg(*value);
    if *is_flag {
        step.cmd("SET").arg(beside(key)).arg(*value);
    }
}

fn role(parts: &[Value]) -> Option<Role> {
    let is_primary = text(parts.first()?)? == "master";
    let replicas = match parts.get(2) {
        Some(Value::Array(replicas)) => replicas.len(),
        _ => 0,
    };
    Some(Role { is_primary, replicas })
}

/// A text that is there, whatever its bytes: what is none of ours is found out by comparing.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::SimpleString(text) => Some(text.clone()),
        _ => None,
    }
}
