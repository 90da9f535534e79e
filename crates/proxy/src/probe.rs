//! Instances that are set aside are looked at until they take connections again, or until the time
//! is over for which they are passed over.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::instance::Instance;
use crate::pace::Paces;
use crate::registry::Registry;
use crate::worker::Shared;

/// The shortest time between two looks at what is due.
const TICK: Duration = Duration::from_millis(50);

/// Where nothing is set aside, the next look.
const REST: Duration = Duration::from_millis(100);

/// Probes for ever.
pub(crate) async fn run(shared: Arc<Shared>, registry: Rc<RefCell<Registry>>) {
    let mut paces = Paces::new();
    loop {
        let now = Instant::now();
        paces.look(&shared, now);
        let aside: Vec<Arc<Instance>> = registry.borrow().aside().cloned().collect();
        if aside.iter().any(|instance| instance.is_doubted()) {
            shared.trust_again();
        }
        for instance in &aside {
            match instance.due() {
                Some((at, _)) if at > now => {}
                Some((_, true)) => shared.take_back(instance),
                Some((_, false)) => {
                    instance.probed();
                    tokio::task::spawn_local(probe(shared.clone(), instance.clone()));
                }
                None => {}
            }
        }
        sleep(if aside.is_empty() { REST } else { TICK }).await;
    }
}

async fn probe(shared: Arc<Shared>, instance: Arc<Instance>) {
    let connected = timeout(shared.limits.connect, TcpStream::connect(instance.addr)).await;
    if matches!(connected, Ok(Ok(_))) {
        shared.take_back(&instance);
    }
}
